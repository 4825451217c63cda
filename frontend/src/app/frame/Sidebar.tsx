/** The way to every page: icons that widen to labels. */
import { Tooltip, UnstyledButton } from '@mantine/core'
import { IconLayoutSidebarLeftCollapse, IconLayoutSidebarLeftExpand } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { setPreferences } from '@/lib/preferences'
import styles from './Sidebar.module.css'
import { GROUPS } from './pages'

export function Sidebar({ isWide, isInDrawer = false }: { isWide: boolean; isInDrawer?: boolean }) {
  return (
    <nav className={styles.sidebar} data-wide={isWide || undefined} aria-label="Pages">
      {!isInDrawer && (
        <Link to="/" className={styles.brand} aria-label="Tradewright, to the dashboard">
          <img src="/icon.svg" alt="" width={28} height={28} />
          {isWide && <span>Tradewright</span>}
        </Link>
      )}
      <div className={styles.groups}>
        {GROUPS.map((group) => (
          <div key={group.title} className={styles.group}>
            {isWide ? <p className={styles.title}>{group.title}</p> : <hr className={styles.rule} />}
            {group.pages.map(({ to, label, icon: Icon }) => (
              <Tooltip key={to} label={label} position="right" disabled={isWide}>
                <Link
                  to={to}
                  className={styles.link}
                  activeOptions={{ exact: to === '/', includeSearch: false }}
                  activeProps={{ 'data-active': true, 'aria-current': 'page' }}
                  aria-label={label}
                >
                  <Icon size={18} stroke={1.7} aria-hidden />
                  {isWide && <span>{label}</span>}
                </Link>
              </Tooltip>
            ))}
          </div>
        ))}
      </div>
      {!isInDrawer && (
        <UnstyledButton
          className={styles.link}
          onClick={() => setPreferences({ sidebarOpen: !isWide })}
          aria-label={isWide ? 'Narrow the sidebar' : 'Widen the sidebar'}
        >
          {isWide ? (
            <IconLayoutSidebarLeftCollapse size={18} stroke={1.7} />
          ) : (
            <IconLayoutSidebarLeftExpand size={18} stroke={1.7} />
          )}
          {isWide && <span>Narrow</span>}
        </UnstyledButton>
      )}
    </nav>
  )
}
