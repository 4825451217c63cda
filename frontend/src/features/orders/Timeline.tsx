/** Why an order was, or was not, made: bar, indicator values, signal, checks, intent, wire, executions, position. */
import {
  IconActivity,
  IconBulb,
  IconChartCandle,
  IconCheck,
  IconFlag,
  IconPoint,
  IconScale,
  IconSend,
  IconShieldCheck,
  IconX,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { SignalType } from '@/components/Badge'
import { marksOf } from '@/components/chart/chart-data'
import { PriceChart } from '@/components/chart/lazy'
import type { Signal, Timeline as TimelineData, TimelineStep as Step } from '@/lib/api/types'
import { formatFigure, formatName, formatPercent, formatPrice, formatQuantity, plural } from '@/lib/format'
import { wordsOf } from '@/lib/risk'
import { DenialCard } from './DenialCard'
import { RiskChecks } from '@/components/RiskChecks'
import styles from './Timeline.module.css'
import { TimelineStep } from './TimelineStep'

const STEP_ICONS: Record<string, ReactNode> = {
  order_approved: <IconFlag size={12} />,
  order_submitted: <IconSend size={12} />,
  order_accepted: <IconCheck size={12} />,
  order_filled: <IconCheck size={12} />,
  order_rejected: <IconX size={12} />,
  order_denied: <IconX size={12} />,
  position_changed: <IconScale size={12} />,
}

const BAD = new Set(['order_rejected', 'order_denied', 'order_unknown'])
/** Told by sections of their own, so not again as journal lines. */
const TOLD_ABOVE = new Set(['signal_raised', 'order_denied', 'target_set'])

const toneOf = (type: string) => (BAD.has(type) ? 'error' : type === 'order_filled' ? 'good' : undefined)

export function Timeline({ timeline }: { timeline: TimelineData }) {
  const { signal, bars, checks = [], denial, denial_detail, limited_by, executions = [] } = timeline
  const values = Object.entries(timeline.indicator_values ?? {})
  const passed = checks.filter((check) => check.passed).length
  const steps = (timeline.steps ?? []).filter((step) => !TOLD_ABOVE.has(step.type))
  return (
    <>
      {denial && <DenialCard denial={denial} detail={denial_detail} />}
      <ol className={styles.timeline}>
        {bars.length > 0 && (
          <TimelineStep
            icon={<IconChartCandle size={12} />}
            title={`Bar of ${timeline.timeframe ?? ''}`}
            at={bars.at(-1)?.start}
          >
            <div className={styles.chart}>
              <PriceChart
                label={`The bars before the opinion of ${signal?.symbol ?? ''}`}
                bars={bars}
                marks={marksOf(executions)}
              />
            </div>
          </TimelineStep>
        )}
        {values.length > 0 && (
          <TimelineStep icon={<IconActivity size={12} />} title="Indicator values">
            <div className={styles.values}>
              {values.map(([name, value]) => (
                <span key={name} className={styles.value}>
                  <b>{name}</b> {formatFigure(value)}
                </span>
              ))}
            </div>
          </TimelineStep>
        )}
        {signal && <SignalStep signal={signal} />}
        {checks.length > 0 && (
          <TimelineStep
            icon={denial ? <IconX size={12} /> : <IconShieldCheck size={12} />}
            tone={denial ? 'error' : undefined}
            title={`${plural(checks.length, 'risk check')}, ${passed === checks.length ? 'all passed' : `${String(checks.length - passed)} said no`}`}
          >
            {limited_by.length > 0 && (
              <p>Cut to fit: {limited_by.map((rule) => wordsOf(rule).title).join(', ')}.</p>
            )}
            <RiskChecks checks={checks} />
          </TimelineStep>
        )}
        {steps.map((step) => (
          <JournalStep key={`${step.stream}:${String(step.seq)}`} step={step} />
        ))}
      </ol>
    </>
  )
}

function SignalStep({ signal }: { signal: Signal }) {
  const wanted = signal.quantity ?? null
  return (
    <TimelineStep
      icon={<IconBulb size={12} />}
      at={signal.at}
      title={
        <>
          Signal <SignalType type={signal.signal_type} />
        </>
      }
    >
      <p>
        {wanted === null
          ? describeTarget(signal)
          : `Change the position in ${signal.symbol} by ${formatQuantity(wanted, true)}`}
        {signal.price ? ` at about ${formatPrice(signal.price)}` : ''}
        {signal.stop_loss ? `, stop loss ${formatPrice(signal.stop_loss)}` : ''}
        {signal.take_profit ? `, take profit ${formatPrice(signal.take_profit)}` : ''}.
      </p>
      {signal.reasons.map((reason) => (
        <p key={reason}>{asSentence(reason)}</p>
      ))}
      {signal.outcome === 'satisfied' && <p>No order was needed: the target was already held.</p>}
    </TimelineStep>
  )
}

function describeTarget({ exposure, symbol }: Signal): string {
  if (exposure === 0) return `Hold nothing of ${symbol}`
  const share = formatPercent(Math.abs(exposure), { decimals: 0 })
  return `Hold ${share} of the symbol’s capital ${exposure > 0 ? 'long' : 'short'} in ${symbol}`
}

/** Reasons come as strategies write them: with or without a capital and a full stop. */
const asSentence = (reason: string): string => {
  // A name such as `sma_cross` keeps its spelling.
  const isName = /^\w*_/.test(reason)
  const text = isName ? reason : reason.charAt(0).toUpperCase() + reason.slice(1)
  return /[.!?]$/.test(text) ? text : `${text}.`
}

function JournalStep({ step }: { step: Step }) {
  return (
    <TimelineStep
      icon={STEP_ICONS[step.type] ?? <IconPoint size={12} />}
      tone={toneOf(step.type)}
      title={step.title || formatName(step.type)}
      at={step.at}
    >
      <p>{step.detail}</p>
    </TimelineStep>
  )
}
