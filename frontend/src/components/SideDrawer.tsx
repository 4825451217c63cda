/** The right-hand drawer that a row opens: details without leaving the page. */
import { Drawer, FocusTrap } from '@mantine/core'
import type { ReactNode } from 'react'

interface SideDrawerProps {
  isOpen: boolean
  onClose: () => void
  title: ReactNode
  children: ReactNode
  size?: number
  /** Something inside asks for the focus itself. */
  hasOwnFocus?: boolean
}

export function SideDrawer({
  isOpen,
  onClose,
  title,
  children,
  size = 560,
  hasOwnFocus = false,
}: SideDrawerProps) {
  return (
    <Drawer
      opened={isOpen}
      onClose={onClose}
      position="right"
      size={`min(${String(size)}px, 100vw)`}
      title={title}
      overlayProps={{ backgroundOpacity: 0.35 }}
      transitionProps={{ duration: 120 }}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {!hasOwnFocus && <FocusTrap.InitialFocus />}
      {children}
    </Drawer>
  )
}
