/** Around every page: sidebar, header with trading state and emergency stop, command palette, live connection. */
import { Drawer } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { Outlet, useLocation } from '@tanstack/react-router'
import { useEffect } from 'react'
import { usePreferences } from '@/lib/preferences'
import { CommandPalette } from './CommandPalette'
import { ConnectionBar } from './ConnectionBar'
import styles from './Frame.module.css'
import { Header } from './Header'
import { ModeStripe } from './ModeStripe'
import { Sidebar } from './Sidebar'
import { StepUp } from './StepUp'
import { useLiveConnection } from './use-live-connection'

export function Frame() {
  useLiveConnection()
  const { sidebarOpen } = usePreferences()
  const [isMenuOpen, menu] = useDisclosure(false)
  const { pathname } = useLocation()
  const closeMenu = menu.close
  useEffect(closeMenu, [pathname, closeMenu])

  return (
    <div className={styles.frame} data-wide={sidebarOpen || undefined}>
      <a href="#page" className={styles.skip}>
        Skip to the page
      </a>
      <div className={styles.side}>
        <Sidebar isWide={sidebarOpen} />
      </div>
      <Drawer
        opened={isMenuOpen}
        onClose={menu.close}
        size={250}
        padding={0}
        styles={{ header: { paddingInline: 18 } }}
        title="Tradewright"
        hiddenFrom="md"
      >
        <Sidebar isWide isInDrawer />
      </Drawer>
      <div className={styles.main}>
        <Header onMenu={menu.open} />
        <ModeStripe />
        <ConnectionBar />
        <main id="page" className={styles.page} tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      <CommandPalette />
      <StepUp />
    </div>
  )
}
