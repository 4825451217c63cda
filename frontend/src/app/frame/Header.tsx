/** Always visible: whose money, real or not, is the data fresh, is the system well, and the way to stop it all. */
import { ActionIcon, UnstyledButton } from '@mantine/core'
import { spotlight } from '@mantine/spotlight'
import { useQuery } from '@tanstack/react-query'
import { IconMenu2, IconSearch } from '@tabler/icons-react'
import { tradingEngine } from '@/features/trading-engine/api'
import { useAccount } from '@/lib/account'
import { stateOf } from '@/lib/trading-state'
import { AccountMenu } from './AccountMenu'
import { Clock } from './Clock'
import { EmergencyStop } from './EmergencyStop'
import { FeedFreshness } from './FeedFreshness'
import { HaltNotice } from './HaltNotice'
import styles from './Header.module.css'
import { HealthPill } from './HealthPill'
import { UserMenu } from './UserMenu'

export function Header({ onMenu }: { onMenu: () => void }) {
  const { data: trading } = useQuery(tradingEngine.state())
  const { account } = useAccount()
  const held = trading && stateOf(trading, account?.id)
  return (
    <header className={styles.header} data-state={held?.state}>
      <ActionIcon
        className={styles.burger}
        variant="subtle"
        color="gray"
        aria-label="Open the menu"
        onClick={onMenu}
      >
        <IconMenu2 size={18} />
      </ActionIcon>
      <AccountMenu />
      {held && held.state !== 'active' ? (
        <HaltNotice held={held} account={account} />
      ) : (
        <UnstyledButton className={styles.search} onClick={spotlight.open} aria-keyshortcuts="Control+K">
          <IconSearch size={14} aria-hidden />
          <span>Search or run…</span>
          <kbd aria-hidden>Ctrl K</kbd>
        </UnstyledButton>
      )}
      <div className={styles.end}>
        <FeedFreshness />
        <HealthPill />
        <Clock />
        <UserMenu />
        <EmergencyStop isHalted={held?.state === 'halted' && !held.isOwn} />
      </div>
    </header>
  )
}
