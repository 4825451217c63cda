/** Files of market data: sent with progress, then followed until they are stored. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'
import { Unreachable, toApiError } from './errors'
import { pagesOf } from './pages'
import type { DataImport, ImportWish } from './types'

const LIMIT = 100
const BUSY_MS = 700
const QUIET_MS = 15_000

export const isUnderWay = ({ state }: Pick<DataImport, 'state'>): boolean =>
  state === 'queued' || state === 'running'

export const imports = {
  all: ['imports'] as const,
  list: () => ({
    ...pagesOf([...imports.all, 'list'], (cursor) =>
      api.GET('/api/imports', { params: { query: { limit: LIMIT, cursor } } }).then(unwrap),
    ),
    refetchInterval: (query: { state: { data?: { pages: { items: DataImport[] }[] } | undefined } }) =>
      query.state.data?.pages.some((page) => page.items.some(isUnderWay)) ? BUSY_MS : QUIET_MS,
  }),
  one: (id: number) =>
    queryOptions({
      queryKey: [...imports.all, 'one', id],
      queryFn: () =>
        api.GET('/api/imports/{import_id}', { params: { path: { import_id: id } } }).then(unwrap),
      refetchInterval: (query) => (query.state.data && isUnderWay(query.state.data) ? BUSY_MS : false),
    }),
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Sends a file as it is; `onProgress` gets the share that has been sent. fetch() cannot tell that. */
export function uploadFile(
  file: Blob,
  wish: ImportWish,
  onProgress: (share: number) => void,
  signal?: AbortSignal,
): Promise<DataImport> {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries<string | null | undefined>(wish)) {
    if (value) query.set(name, value)
  }
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest()
    request.open('POST', `/api/imports?${query.toString()}`)
    request.setRequestHeader('Content-Type', 'application/octet-stream')
    request.setRequestHeader('Accept', 'application/json')
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total)
    }
    request.onload = () => {
      const body = bodyOf(request.responseText)
      if (request.status === 202) done(body as DataImport)
      else fail(toApiError(request.status, body))
    }
    request.onerror = () => fail(new Unreachable())
    request.onabort = () => fail(new DOMException('The upload was cancelled.', 'AbortError'))
    signal?.addEventListener('abort', () => request.abort(), { once: true })
    request.send(file)
  })
}
