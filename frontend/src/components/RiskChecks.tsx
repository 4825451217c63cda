/** Every risk check with its value, its limit, and how close they came. */
import { IconCheck, IconX } from '@tabler/icons-react'
import type { RiskCheck } from '@/lib/api/types'
import { closenessOf, formatRuleValue, wordsOf } from '@/lib/risk'
import { LimitBar } from './LimitBar'
import styles from './RiskChecks.module.css'

export function RiskChecks({ checks }: { checks: readonly RiskCheck[] }) {
  return (
    <table className={styles.checks}>
      <caption className="visually-hidden">Risk checks</caption>
      <tbody>
        {checks.map((check) => (
          <CheckRow key={check.rule} check={check} />
        ))}
      </tbody>
    </table>
  )
}

function CheckRow({ check: { rule, passed, value, limit, scope } }: { check: RiskCheck }) {
  const closeness = closenessOf(value, limit)
  const figures =
    closeness === null ? '' : `${formatRuleValue(rule, value)} of ${formatRuleValue(rule, limit)}`
  return (
    <tr>
      <td className={passed ? styles.passed : styles.failed}>
        {passed ? <IconCheck size={14} aria-label="passed" /> : <IconX size={14} aria-label="failed" />}
      </td>
      <td className={passed ? '' : styles.failed}>
        {wordsOf(rule).title}
        {scope && <span className="faint"> {scope}</span>}
      </td>
      <td className={styles.figure}>{figures}</td>
      <td className={styles.meter}>
        <LimitBar closeness={closeness} label={`${wordsOf(rule).title}: ${figures}`} />
      </td>
    </tr>
  )
}
