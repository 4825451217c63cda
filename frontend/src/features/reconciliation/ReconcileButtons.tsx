/** Compare now, see first what would be done, or say that the broker is right. */
import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { ConfirmButton } from '@/components/ConfirmButton'
import { notifyError } from '@/components/notify'
import { accounts, reconcile } from '@/lib/api/accounts'
import styles from './ReconcileButtons.module.css'
import { foundLines } from './words'

interface ReconcileButtonsProps {
  accountId: number
  /** What is unexplained now, in sentences. */
  differences: readonly string[]
}

export function ReconcileButtons({ accountId, differences }: ReconcileButtonsProps) {
  const client = useQueryClient()
  const act = useMutation({
    mutationFn: (wish: { dry_run: boolean; adopt: boolean }) => reconcile(accountId, wish),
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: accounts.all }),
  })
  const wish = act.variables
  const isBusy = (dry_run: boolean, adopt: boolean) =>
    act.isPending && wish?.dry_run === dry_run && wish.adopt === adopt
  return (
    <>
      <div className={styles.buttons}>
        <Button
          loading={isBusy(false, false)}
          disabled={act.isPending}
          onClick={() => act.mutate({ dry_run: false, adopt: false })}
        >
          Reconcile now
        </Button>
        {differences.length > 0 && (
          <>
            <Button
              variant="default"
              loading={isBusy(true, true)}
              disabled={act.isPending}
              onClick={() => act.mutate({ dry_run: true, adopt: true })}
            >
              What taking over would do
            </Button>
            <ConfirmButton
              color="red"
              question="Is the broker right?"
              consequence={
                <>
                  Our books become the broker’s, once, and you are named in the audit trail:
                  <ul className={styles.list}>
                    {differences.map((sentence) => (
                      <li key={sentence}>{sentence}</li>
                    ))}
                  </ul>
                  Trading stays reduce-only until you resume it.
                </>
              }
              confirm="Take it over"
              isBusy={isBusy(false, true)}
              onConfirm={() => act.mutate({ dry_run: false, adopt: true })}
            >
              The broker is right…
            </ConfirmButton>
          </>
        )}
      </div>
      {act.data && (
        <div role="status" className={styles.result}>
          <b>{wish?.dry_run ? 'It would do this; nothing was changed:' : 'Done:'}</b>
          <ul aria-label="Result" className={styles.list}>
            {foundLines(act.data).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </div>
      )}
    </>
  )
}
