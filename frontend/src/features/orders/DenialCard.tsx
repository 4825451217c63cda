/** The check that said no, large, and by how much. */
import { IconShieldX } from '@tabler/icons-react'
import { LimitBar } from '@/components/LimitBar'
import type { RiskCheck } from '@/lib/api/types'
import { closenessOf, excessOf, formatRuleValue, wordsOf } from '@/lib/risk'
import styles from './Timeline.module.css'

interface DenialCardProps {
  denial: RiskCheck
  detail: string | null | undefined
}

export function DenialCard({ denial, detail }: DenialCardProps) {
  const { rule, value, limit } = denial
  const words = wordsOf(rule)
  const excess = excessOf(rule, value, limit)
  return (
    <section className={styles.denial} aria-label="Denied">
      <p className={styles.denialTitle}>
        <IconShieldX size={22} aria-hidden />
        Denied: {words.title}
      </p>
      {excess !== null && <p className={styles.denialExcess}>{excess}</p>}
      <p className={styles.denialText}>{detail ?? words.meaning}</p>
      <LimitBar
        closeness={closenessOf(value, limit)}
        label={`${formatRuleValue(rule, value)} against a limit of ${formatRuleValue(rule, limit)}`}
      />
    </section>
  )
}
