/** Which account the pages show, with its mode. */
import { Menu, UnstyledButton } from '@mantine/core'
import { IconCheck, IconChevronDown } from '@tabler/icons-react'
import { ModeBadge } from '@/components/ModeBadge'
import { useAccount } from '@/lib/account'
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
              rightSection={<ModeBadge account={each} />}
            >
              {each.name}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <ModeBadge account={account} />
    </div>
  )
}
