/** Always visible: whose money, real or not, is the data fresh, is the system well, and the way to stop it all. */
import { ActionIcon, UnstyledButton } from '@mantine/core'
import { spotlight } from '@mantine/spotlight'
import { useQuery } from '@tanstack/react-query'
import { IconMenu2, IconSearch } from '@tabler/icons-react'
import { tradingEngine } from '@/features/trading-engine/api'
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
  const isRestricted = trading !== undefined && trading.state !== 'active'
  return (
    <header className={styles.header} data-state={trading?.state}>
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
      {isRestricted ? (
        <HaltNotice trading={trading} />
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
        <EmergencyStop isHalted={trading?.state === 'halted'} />
      </div>
    </header>
  )
}
