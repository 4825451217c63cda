/** Filters as chips: each says what it keeps, opens its choices, and is cleared by its cross. */
import { Autocomplete, Menu, UnstyledButton } from '@mantine/core'
import { IconChevronDown, IconX } from '@tabler/icons-react'
import { useState } from 'react'
import styles from './FilterChips.module.css'

export interface FilterChoice {
  value: string
  label: string
}

export interface Filter {
  key: string
  label: string
  /** Fixed choices; or free text with suggestions. */
  choices?: readonly FilterChoice[]
  suggestions?: readonly string[]
}

export type FilterValues = Record<string, string | undefined>

interface FilterChipsProps {
  filters: readonly Filter[]
  values: FilterValues
  onChange: (change: FilterValues) => void
}

export function FilterChips({ filters, values, onChange }: FilterChipsProps) {
  const active = filters.filter((filter) => values[filter.key] !== undefined)
  const clearAll = () => onChange(Object.fromEntries(filters.map((filter) => [filter.key, undefined])))
  return (
    <>
      {filters.map((filter) => (
        <Chip
          key={filter.key}
          filter={filter}
          value={values[filter.key]}
          onChange={(value) => onChange({ [filter.key]: value })}
        />
      ))}
      {active.length > 1 && (
        <UnstyledButton className={styles.clear} onClick={clearAll}>
          Clear all
        </UnstyledButton>
      )}
    </>
  )
}

interface ChipProps {
  filter: Filter
  value: string | undefined
  onChange: (value: string | undefined) => void
}

function Chip({ filter, value, onChange }: ChipProps) {
  const [isOpen, setOpen] = useState(false)
  const label = filter.choices?.find((choice) => choice.value === value)?.label ?? value
  const choose = (next: string | undefined) => {
    onChange(next)
    setOpen(false)
  }
  return (
    <span className={styles.chip} data-active={value !== undefined || undefined}>
      <Menu
        opened={isOpen}
        onChange={setOpen}
        position="bottom-start"
        trapFocus={filter.choices !== undefined}
      >
        <Menu.Target>
          <UnstyledButton className={styles.label}>
            {filter.label}
            {value === undefined ? <IconChevronDown size={12} aria-hidden /> : <b>{label}</b>}
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          {filter.choices?.map((choice) => (
            <Menu.Item
              key={choice.value}
              onClick={() => choose(choice.value)}
              fw={choice.value === value ? 600 : 400}
            >
              {choice.label}
            </Menu.Item>
          ))}
          {filter.choices === undefined && (
            <form
              onSubmit={(event) => {
                event.preventDefault()
                const text = new FormData(event.currentTarget).get('value')
                choose(typeof text === 'string' && text !== '' ? text.trim() : undefined)
              }}
            >
              <Autocomplete
                name="value"
                aria-label={filter.label}
                placeholder={filter.label}
                defaultValue={value ?? ''}
                data={[...(filter.suggestions ?? [])]}
                onOptionSubmit={choose}
                comboboxProps={{ withinPortal: false }}
                data-autofocus
                autoFocus
              />
            </form>
          )}
        </Menu.Dropdown>
      </Menu>
      {value !== undefined && (
        <UnstyledButton
          className={styles.cross}
          aria-label={`Clear ${filter.label}`}
          onClick={() => onChange(undefined)}
        >
          <IconX size={12} aria-hidden />
        </UnstyledButton>
      )}
    </span>
  )
}
