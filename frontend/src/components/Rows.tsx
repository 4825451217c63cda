/** A short list of things, each with what can be done to it. */
import type { ReactNode } from 'react'
import styles from './Rows.module.css'

export const Rows = ({ children, label }: { children: ReactNode; label: string }) => (
  <ul className={styles.rows} aria-label={label}>
    {children}
  </ul>
)

interface RowProps {
  children: ReactNode
  /** Said below, smaller. */
  note?: ReactNode
  actions?: ReactNode
}

export const Row = ({ children, note, actions }: RowProps) => (
  <li className={styles.row}>
    <div className={styles.text}>
      {children}
      {note !== undefined && <span className={styles.small}>{note}</span>}
    </div>
    {actions !== undefined && <div className={styles.actions}>{actions}</div>}
  </li>
)
