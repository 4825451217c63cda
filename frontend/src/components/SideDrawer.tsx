/** The right-hand drawer that a row opens: details without leaving the page. */
import { Drawer } from '@mantine/core'
import type { ReactNode } from 'react'

interface SideDrawerProps {
  isOpen: boolean
  onClose: () => void
  title: ReactNode
  children: ReactNode
  size?: number
}

export function SideDrawer({ isOpen, onClose, title, children, size = 560 }: SideDrawerProps) {
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
      {children}
    </Drawer>
  )
}
