/** How it looks here: scheme, colours of change, time zone. Kept in this browser. */
import { SegmentedControl, useMantineColorScheme } from '@mantine/core'
import type { ReactNode } from 'react'
import { Change } from '@/components/Change'
import { setPreferences, usePreferences } from '@/lib/preferences'
import rows from '@/components/Rows.module.css'
import styles from './Settings.module.css'

export function AppearancePanel() {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const { pnlColors, timeZone } = usePreferences()
  return (
    <div className={rows.rows}>
      <Row label="Appearance">
        <SegmentedControl
          aria-label="Appearance"
          data={[
            { value: 'dark', label: 'Dark' },
            { value: 'light', label: 'Light' },
            { value: 'auto', label: 'As the system' },
          ]}
          value={colorScheme}
          onChange={(next) => setColorScheme(next)}
        />
      </Row>
      <Row
        label="Up and down"
        note={
          <>
            <Change value={1.2} arrow /> <Change value={-0.8} arrow />
          </>
        }
      >
        <SegmentedControl
          aria-label="Colours of up and down"
          data={[
            { value: 'teal-coral', label: 'Teal and coral' },
            { value: 'blue-orange', label: 'Blue and orange' },
          ]}
          value={pnlColors}
          onChange={(next) =>
            setPreferences({ pnlColors: next === 'blue-orange' ? 'blue-orange' : 'teal-coral' })
          }
        />
      </Row>
      <Row label="Times">
        <SegmentedControl
          aria-label="Time zone"
          data={[
            { value: 'utc', label: 'UTC' },
            { value: 'local', label: 'Local' },
          ]}
          value={timeZone}
          onChange={(next) => setPreferences({ timeZone: next === 'local' ? 'local' : 'utc' })}
        />
      </Row>
    </div>
  )
}

function Row({ label, note, children }: { label: string; note?: ReactNode; children: ReactNode }) {
  return (
    <div className={rows.row}>
      <span>
        {label} {note && <span className={styles.note}>{note}</span>}
      </span>
      {children}
    </div>
  )
}
