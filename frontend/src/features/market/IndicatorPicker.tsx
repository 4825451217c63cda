/** Adds an indicator from the catalogue to the chart, changes its parameters, takes it away. */
import { ActionIcon, Button, Group, Popover, Stack, TextInput, UnstyledButton } from '@mantine/core'
import { IconPlus, IconX } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { SchemaForm } from '@/components/form/lazy'
import { indicatorCatalogue } from '@/lib/api/stocks'
import type { Indicator } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import styles from './IndicatorPicker.module.css'
import { type Chosen, labelOf } from './parse-indicators'

interface IndicatorPickerProps {
  chosen: readonly Chosen[]
  onChange: (chosen: Chosen[]) => void
}

const LISTED_AT_ONCE = 60
/** What most people look for stands first; the other hundreds follow by name. */
const COMMON = [
  'sma',
  'ema',
  'wma',
  'rsi',
  'macd',
  'bollinger',
  'atr',
  'adx',
  'stochastic',
  'vwap',
  'obv',
  'donchian',
]

const rankOf = ({ name }: Indicator): number => (COMMON.includes(name) ? COMMON.indexOf(name) : COMMON.length)

export function IndicatorPicker({ chosen, onChange }: IndicatorPickerProps) {
  const { data } = useQuery(indicatorCatalogue())
  const all = data?.items ?? []
  return (
    <Group gap={6}>
      {chosen.map((each, index) => (
        <ChosenChip
          key={`${each.name}-${String(index)}`}
          chosen={each}
          indicator={all.find((indicator) => indicator.name === each.name)}
          onChange={(next) => onChange(chosen.map((old, at) => (at === index ? next : old)))}
          onRemove={() => onChange(chosen.filter((_, at) => at !== index))}
        />
      ))}
      <AddIndicator all={all} onAdd={(name) => onChange([...chosen, { name, parameters: {} }])} />
    </Group>
  )
}

function AddIndicator({ all, onAdd }: { all: readonly Indicator[]; onAdd: (name: string) => void }) {
  const [isOpen, setOpen] = useState(false)
  const [wanted, setWanted] = useState('')
  const needle = wanted.trim().toLowerCase()
  const found = all
    .filter(({ name, description }) => `${name} ${description}`.toLowerCase().includes(needle))
    .sort((a, b) => rankOf(a) - rankOf(b) || a.name.localeCompare(b.name))
    .slice(0, LISTED_AT_ONCE)
  return (
    <Popover opened={isOpen} onChange={setOpen} width={340} position="bottom-start" trapFocus>
      <Popover.Target>
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<IconPlus size={14} />}
          onClick={() => setOpen(!isOpen)}
        >
          Indicator
        </Button>
      </Popover.Target>
      <Popover.Dropdown p={8}>
        <TextInput
          placeholder="Search the catalogue"
          aria-label="Search indicators"
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
          data-autofocus
        />
        <ul className={styles.list}>
          {found.map((indicator) => (
            <li key={indicator.name}>
              <UnstyledButton
                className={styles.item}
                onClick={() => {
                  onAdd(indicator.name)
                  setOpen(false)
                }}
              >
                <b>{indicator.name}</b>
                <span>{indicator.description || indicator.title || formatName(indicator.group)}</span>
              </UnstyledButton>
            </li>
          ))}
          {found.length === 0 && <li className={styles.none}>No indicator by that name.</li>}
        </ul>
      </Popover.Dropdown>
    </Popover>
  )
}

interface ChosenChipProps {
  chosen: Chosen
  indicator: Indicator | undefined
  onChange: (next: Chosen) => void
  onRemove: () => void
}

function ChosenChip({ chosen, indicator, onChange, onRemove }: ChosenChipProps) {
  const [values, setValues] = useState<Record<string, unknown>>({
    ...indicator?.defaults,
    ...chosen.parameters,
  })
  const properties = Object.entries(
    (indicator?.parameters_schema.properties ?? {}) as Record<string, { type?: string }>,
  )
  const typed = Object.fromEntries(
    properties.map(([key, { type }]) => [
      key,
      type === 'string' ? values[key] : Number(values[key] ?? indicator?.defaults[key]),
    ]),
  )
  const apply = () =>
    onChange({
      name: chosen.name,
      parameters: Object.fromEntries(Object.entries(typed).map(([key, value]) => [key, String(value)])),
    })
  return (
    <span className={styles.chip}>
      <Popover width={300} position="bottom-start" trapFocus>
        <Popover.Target>
          <UnstyledButton className={styles.label} aria-label={`Change ${labelOf(chosen, indicator)}`}>
            {labelOf(chosen, indicator)}
          </UnstyledButton>
        </Popover.Target>
        <Popover.Dropdown>
          <Stack gap="sm">
            <b>{formatName(chosen.name)}</b>
            {properties.length === 0 ? (
              <span className="dim">It has no parameters.</span>
            ) : (
              <>
                <SchemaForm
                  id={`indicator-${chosen.name}`}
                  schema={indicator?.parameters_schema ?? {}}
                  values={typed}
                  onChange={setValues}
                />
                <Button onClick={apply}>Apply</Button>
              </>
            )}
          </Stack>
        </Popover.Dropdown>
      </Popover>
      <ActionIcon
        variant="transparent"
        color="gray"
        size={20}
        aria-label={`Remove ${labelOf(chosen, indicator)}`}
        onClick={onRemove}
      >
        <IconX size={12} />
      </ActionIcon>
    </span>
  )
}
