/** Which account the pages show, with its mode. */
import { Menu, UnstyledButton } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { IconCheck, IconChevronDown, IconLock, IconLockOpen } from '@tabler/icons-react'
import { Badge } from '@/components/Badge'
import { ModeBadge } from '@/components/ModeBadge'
import { useDisarm } from '@/features/arming/use-disarm'
import { useAccount } from '@/lib/account'
import type { Account } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { useMay } from '@/lib/permission'
import { setPreferences } from '@/lib/preferences'
import styles from './Header.module.css'

export function AccountMenu() {
  const { account, all } = useAccount()
  if (!account) return null
  return (
    <div className={styles.account}>
      <Menu position="bottom-start">
        <Menu.Target>
          <UnstyledButton className={styles.accountName} aria-label={`Account ${account.name}`}>
            <span>{account.name}</span>
            <IconChevronDown size={14} aria-hidden />
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Accounts</Menu.Label>
          {all.map((each) => (
            <Menu.Item
              key={each.id}
              onClick={() => setPreferences({ accountId: each.id })}
              leftSection={each.id === account.id ? <IconCheck size={14} /> : <span style={{ width: 14 }} />}
              rightSection={
                <>
                  {each.trading_state !== 'active' && (
                    <Badge tone="warning">{formatName(each.trading_state)}</Badge>
                  )}{' '}
                  <ModeBadge account={each} />
                </>
              }
            >
              {each.name}
            </Menu.Item>
          ))}
          <Interlock account={account} />
        </Menu.Dropdown>
      </Menu>
      <ModeBadge account={account} />
    </div>
  )
}

/** Of an account of real money: one press disarms it; arming needs more, on its own page. */
function Interlock({ account }: { account: Account }) {
  const isAdmin = useMay('admin')
  const disarm = useDisarm()
  if (!account.arming || !isAdmin) return null
  return (
    <>
      <Menu.Divider />
      {account.arming.armed_at ? (
        <Menu.Item
          color="red"
          leftSection={<IconLock size={14} />}
          disabled={disarm.isPending}
          onClick={() => disarm.mutate(account.id)}
        >
          Disarm {account.name} now
        </Menu.Item>
      ) : (
        <Menu.Item component={Link} to="/trading-engine" leftSection={<IconLockOpen size={14} />}>
          Arm {account.name}…
        </Menu.Item>
      )}
    </>
  )
}
