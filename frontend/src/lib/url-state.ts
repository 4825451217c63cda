/** Filters live in the URL: reads them as text, writes the change back without a new history entry. */
import { useNavigate } from '@tanstack/react-router'
import { useCallback } from 'react'

type Values = Record<string, string | undefined>

/** The state in the URL as the chips show it. */
export function asText(search: object): Values {
  return Object.fromEntries(
    Object.entries(search).map(([key, value]) => [key, value === undefined ? undefined : String(value)]),
  )
}

/** Changes parts of the current page's URL state; `undefined` removes a part. */
export function useUrlState(): (change: Record<string, unknown>) => void {
  const navigate = useNavigate()
  return useCallback(
    (change) => {
      void navigate({
        to: '.',
        search: ((before: object) => ({ ...before, ...change })) as never,
        replace: true,
      })
    },
    [navigate],
  )
}
