/** Listens for requests that need a fresh proof of who one is; the dialog is fetched when one comes. */
import { Suspense, lazy, useEffect, useState } from 'react'
import { onStepUp } from '@/lib/api/step-up'

const StepUpDialog = lazy(() => import('./StepUpDialog'))

export function StepUp() {
  const [answer, setAnswer] = useState<((isProved: boolean) => void) | null>(null)
  useEffect(
    () =>
      onStepUp(
        () =>
          new Promise<boolean>((done) =>
            setAnswer(() => (isProved: boolean) => {
              setAnswer(null)
              done(isProved)
            }),
          ),
      ),
    [],
  )
  if (answer === null) return null
  return (
    <Suspense fallback={null}>
      <StepUpDialog onAnswer={answer} />
    </Suspense>
  )
}
