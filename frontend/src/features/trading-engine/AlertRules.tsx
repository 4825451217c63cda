/** What raises an alert, how it ends, and the numbers it measures by. */
import { Button, NumberInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { SeverityBadge } from '@/components/Badge'
import { Row, Rows } from '@/components/Rows'
import { Failed, Loading } from '@/components/States'
import { notifyDone } from '@/components/notify'
import { sentenceOf } from '@/lib/api/errors'
import type { AlertRule, Threshold } from '@/lib/api/types'
import { formatName, formatQuantity } from '@/lib/format'
import { useMay } from '@/lib/permission'
import styles from './AlertRules.module.css'
import { setThreshold, tradingEngine } from './api'

export function AlertRules() {
  const { data, error, refetch } = useQuery(tradingEngine.alertRules())
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={8} />
  return (
    <div className={styles.columns}>
      <section>
        <h2 className={styles.title}>Rules</h2>
        <Rows label="Rules">
          {data.items.map((rule) => (
            <Rule key={rule.name} rule={rule} />
          ))}
        </Rows>
      </section>
      <section>
        <h2 className={styles.title}>Numbers they measure by</h2>
        <Rows label="Thresholds">
          {data.thresholds.map((threshold) => (
            <ThresholdRow key={`${threshold.key} ${String(threshold.value)}`} threshold={threshold} />
          ))}
        </Rows>
      </section>
    </div>
  )
}

const Rule = ({ rule }: { rule: AlertRule }) => (
  <Row
    note={
      <>
        {formatName(rule.category)}. {rule.clears}
        {rule.events.length > 0 &&
          ` On ${rule.events.map((each) => formatName(each).toLowerCase()).join(', ')}.`}
      </>
    }
    actions={<SeverityBadge severity={rule.severity} />}
  >
    {rule.title}
  </Row>
)

/** `alerts.backup_hours` as the rules name it: `backup_hours`. */
const nameOf = (key: string): string => key.slice(key.indexOf('.') + 1)

const UNITS = ['seconds', 'minutes', 'hours', 'days']
const unitOf = (key: string): string => UNITS.find((unit) => key.endsWith(`_${unit}`)) ?? ''

const show = formatQuantity

function ThresholdRow({ threshold }: { threshold: Threshold }) {
  const client = useQueryClient()
  const isAdmin = useMay('admin')
  const [value, setValue] = useState<string | number>(threshold.value)
  const change = useMutation({
    mutationFn: setThreshold,
    onSuccess: (saved) => {
      notifyDone(`It is ${show(saved.value)} from the next look on.`, 'Changed')
      void client.invalidateQueries({ queryKey: tradingEngine.alertRules().queryKey })
    },
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    change.mutate({ key: threshold.key, value: Number(value), reason: null })
  }
  const isChanged = value !== '' && Number(value) !== threshold.value
  return (
    <Row
      note={
        <>
          <span className="mono">{nameOf(threshold.key)}</span> ·
          {[show(threshold.minimum), 'to', show(threshold.maximum), unitOf(threshold.key)].join(' ').trim()},
          default {show(threshold.default)}
          {threshold.updated_by && `; set by ${threshold.updated_by}`}
        </>
      }
      actions={
        isAdmin ? (
          <form className={styles.threshold} onSubmit={submit}>
            <NumberInput
              size="xs"
              w={104}
              aria-label={threshold.description}
              value={value}
              onChange={setValue}
              allowDecimal={!threshold.is_whole}
              error={change.error ? sentenceOf(change.error) : undefined}
            />
            <Button type="submit" variant="default" loading={change.isPending} disabled={!isChanged}>
              Set
            </Button>
          </form>
        ) : (
          <b>{show(threshold.value)}</b>
        )
      }
    >
      {threshold.description}
    </Row>
  )
}
