/** The card that signing in and signing up share: brand, title, one form. */
import type { ReactNode } from 'react'
import styles from './AuthCard.module.css'

interface AuthCardProps {
  title: string
  lead: ReactNode
  children: ReactNode
}

export function AuthCard({ title, lead, children }: AuthCardProps) {
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <div className={styles.brand}>
          <img src="/icon.svg" alt="" width={36} height={36} />
          <span>Tradewright</span>
        </div>
        <h1 className={styles.title}>{title}</h1>
        <p className={styles.lead}>{lead}</p>
        {children}
      </div>
      <p className={styles.foot}>Paper is the default. Nothing trades real money until you say so, twice.</p>
    </main>
  )
}
