/** Which accounts may trade real money: armed with a proof, disarmed with one press. */
import { Button } from '@mantine/core'
import { useState } from 'react'
import { Badge } from '@/components/Badge'
import { Panel } from '@/components/Panel'
import { Row, Rows } from '@/components/Rows'
import { TimeAgo } from '@/components/Time'
import { useAccount } from '@/lib/account'
import type { Account } from '@/lib/api/types'
import { useMay } from '@/lib/permission'
import { ArmDialog } from './ArmDialog'
import { useDisarm } from './use-disarm'
import { refusal } from './words'

/** Nothing is drawn where no account has real money. */
export function ArmingPanel() {
  const { all } = useAccount()
  const live = all.filter(({ arming }) => arming !== null)
  if (live.length === 0) return null
  return (
    <Panel title="Real money">
      <Rows label="Accounts of real money">
        {live.map((account) => (
          <ArmingRow key={account.id} account={account} />
        ))}
      </Rows>
    </Panel>
  )
}

/** Whether orders leave, of an account that is armed. */
function sending({ engine, trading_state }: Account): string {
  if (!engine.is_running) return 'No engine runs it now.'
  return trading_state === 'active'
    ? 'It sends orders.'
    : `It sends nothing yet: its trading is ${trading_state}.`
}

function ArmingRow({ account }: { account: Account }) {
  const isAdmin = useMay('admin')
  const [isAsking, setAsking] = useState(false)
  const disarm = useDisarm()
  const armedAt = account.arming?.armed_at
  const why = refusal(account)
  return (
    <Row
      note={
        armedAt ? (
          <>
            Since <TimeAgo at={armedAt} /> by {account.arming?.armed_by ?? 'somebody'}, until somebody disarms
            it. {sending(account)} {why}
          </>
        ) : (
          (why ?? 'It sends no orders, and its engine does not connect after a restart.')
        )
      }
      actions={
        isAdmin &&
        (armedAt ? (
          <Button
            color="red"
            loading={disarm.isPending}
            aria-label={`Disarm ${account.name}`}
            onClick={() => disarm.mutate(account.id)}
          >
            Disarm now
          </Button>
        ) : (
          <Button
            variant="default"
            disabled={why !== null}
            aria-label={`Arm ${account.name}`}
            onClick={() => setAsking(true)}
          >
            Arm…
          </Button>
        ))
      }
    >
      <b>{account.name}</b> <span className="dim">at {account.broker}</span>{' '}
      {armedAt ? <Badge tone="critical">Armed</Badge> : <Badge>Not armed</Badge>}
      {isAsking && <ArmDialog account={account} onClose={() => setAsking(false)} />}
    </Row>
  )
}
