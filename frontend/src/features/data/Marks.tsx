/** Verdicts and states of gaps: a sign, a word and a colour, so that no colour stands alone. */
import { Tooltip } from '@mantine/core'
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconClockExclamation,
  IconHelpCircle,
  IconMoon,
  IconTool,
} from '@tabler/icons-react'
import type { GapState, SeriesVerdict } from '@/lib/api/types'
import styles from './Marks.module.css'
import { GAP_WORDS, VERDICT_WORDS } from './words'

const VERDICT_ICONS = {
  good: IconCircleCheck,
  gaps: IconAlertTriangle,
  stale: IconClockExclamation,
  bad: IconCircleX,
  unchecked: IconHelpCircle,
} as const

const GAP_ICONS = {
  unexplained: IconHelpCircle,
  provider_hole: IconAlertTriangle,
  no_trade: IconCircleDashed,
  closed: IconMoon,
  repaired: IconTool,
} as const

export function VerdictMark({ verdict, says }: { verdict: SeriesVerdict; says?: string }) {
  const Icon = VERDICT_ICONS[verdict]
  const words = VERDICT_WORDS[verdict]
  return (
    <Tooltip label={says ?? words.says}>
      <span className={styles.mark} data-tone={words.tone}>
        <Icon size={15} stroke={1.9} aria-hidden />
        {words.label}
      </span>
    </Tooltip>
  )
}

export function GapMark({ state }: { state: GapState }) {
  const Icon = GAP_ICONS[state]
  const words = GAP_WORDS[state]
  return (
    <Tooltip label={words.says}>
      <span className={styles.mark} data-tone={words.tone}>
        <Icon size={15} stroke={1.9} aria-hidden />
        {words.label}
      </span>
    </Tooltip>
  )
}
