/** A button that must be held for a second while a ring fills: by pointer, by Space or Enter. */
import type { ReactNode } from 'react'
import styles from './HoldButton.module.css'
import type { Hold } from './use-hold'

interface HoldButtonProps {
  hold: Hold
  label: string
  /** Said to everyone who cannot see the ring. */
  description: string
  children: ReactNode
  isDisabled?: boolean
}

const RADIUS = 9
const LENGTH = 2 * Math.PI * RADIUS

export function HoldButton({ hold, label, description, children, isDisabled = false }: HoldButtonProps) {
  const isHoldKey = (key: string) => key === ' ' || key === 'Enter'
  return (
    <button
      type="button"
      className={styles.button}
      aria-label={label}
      title={description}
      data-holding={hold.isHolding || undefined}
      disabled={isDisabled}
      onPointerDown={(event) => {
        if (event.button === 0) hold.start()
      }}
      onPointerUp={hold.cancel}
      onPointerLeave={hold.cancel}
      onPointerCancel={hold.cancel}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (isHoldKey(event.key)) {
          event.preventDefault()
          hold.start()
        }
      }}
      onKeyUp={(event) => {
        if (isHoldKey(event.key)) hold.cancel()
      }}
      onBlur={hold.cancel}
    >
      <svg className={styles.ring} viewBox="0 0 24 24" aria-hidden>
        <circle className={styles.track} cx="12" cy="12" r={RADIUS} />
        <circle
          className={styles.fill}
          cx="12"
          cy="12"
          r={RADIUS}
          strokeDasharray={LENGTH}
          strokeDashoffset={LENGTH}
        />
        <rect className={styles.square} x="8.5" y="8.5" width="7" height="7" rx="1.5" />
      </svg>
      {children}
    </button>
  )
}
