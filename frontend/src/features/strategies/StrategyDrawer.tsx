/** One strategy: what it believes, its parameters, its source, and the way to deploy it. */
import { Button } from '@mantine/core'
import { IconRocket } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { SideDrawer } from '@/components/SideDrawer'
import { Failed, Loading } from '@/components/States'
import { strategies } from '@/lib/api/strategies'
import type { StrategyDetail } from '@/lib/api/types'
import { formatName, plural } from '@/lib/format'
import styles from './StrategyCatalogue.module.css'

interface StrategyDrawerProps {
  name: string | undefined
  onClose: () => void
  onDeploy: (name: string) => void
}

export function StrategyDrawer({ name, onClose, onDeploy }: StrategyDrawerProps) {
  const { data, error, refetch } = useQuery({ ...strategies.one(name ?? ''), enabled: name !== undefined })
  return (
    <SideDrawer isOpen={name !== undefined} onClose={onClose} title={<b>{name}</b>} size={720}>
      {error && <Failed error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Loading rows={8} />}
      {data && <Detail strategy={data} onDeploy={onDeploy} />}
    </SideDrawer>
  )
}

interface ParameterSchema {
  title?: string
  description?: string
  type?: string
  default?: unknown
  minimum?: number
  maximum?: number
}

function boundsOf({ minimum, maximum }: ParameterSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `${String(minimum)} to ${String(maximum)}`
  if (minimum !== undefined) return `at least ${String(minimum)}`
  return maximum === undefined ? '' : `at most ${String(maximum)}`
}

/** Docstrings name parameters and values in backticks. */
function Prose({ text }: { text: string }) {
  return text
    .split('`')
    .map((part, index) =>
      index % 2 === 1 ? <code key={index}>{part}</code> : <span key={index}>{part}</span>,
    )
}

function Detail({ strategy, onDeploy }: { strategy: StrategyDetail; onDeploy: (name: string) => void }) {
  const properties = (strategy.parameters_schema.properties ?? {}) as Record<string, ParameterSchema>
  return (
    <>
      <p className={styles.documentation}>
        <Prose text={strategy.documentation || strategy.description} />
      </p>
      <p className="dim">
        First opinion after {plural(strategy.lookback, 'bar')} with the defaults. From: {strategy.origin}.
        {strategy.is_panel && ' It sees all its symbols at once, and decides for them together.'}
      </p>
      <Button leftSection={<IconRocket size={14} />} onClick={() => onDeploy(strategy.name)}>
        Deploy {strategy.name}
      </Button>
      <h3 className={styles.section}>Parameters</h3>
      <table className={styles.parameters}>
        <thead>
          <tr>
            <th>Name</th>
            <th>Default</th>
            <th>Bounds</th>
            <th>Meaning</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(properties).map(([name, schema]) => (
            <tr key={name}>
              <td>{schema.title ?? formatName(name)}</td>
              <td className="tabular">{JSON.stringify(schema.default ?? strategy.defaults[name] ?? null)}</td>
              <td className="dim">{boundsOf(schema)}</td>
              <td className="dim">{schema.description}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {Object.keys(strategy.columns ?? {}).length > 0 && (
        <>
          <h3 className={styles.section}>What it computes</h3>
          <table className={styles.parameters}>
            <tbody>
              {Object.entries(strategy.columns ?? {}).map(([name, meaning]) => (
                <tr key={name}>
                  <td>{name}</td>
                  <td className="dim">{meaning}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      {strategy.source && (
        <>
          <h3 className={styles.section}>Source</h3>
          {/* Scrolls on its own, so the keyboard must reach it. */}
          <pre className={styles.source} tabIndex={0} aria-label={`Source of ${strategy.name}`}>
            {strategy.source
              .trimEnd()
              .split('\n')
              .map((line, index) => (
                <code key={index} className={styles.line}>
                  {line || ' '}
                </code>
              ))}
          </pre>
        </>
      )}
    </>
  )
}
