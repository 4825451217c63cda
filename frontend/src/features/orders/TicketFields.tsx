/** The parts of an order ticket: type and prices, protection, and the second order of a pair. */
import { NumberInput, Select, SimpleGrid, Switch } from '@mantine/core'
import { type Draft, type OrderType, PRICES, type TermsDraft, partnersOf } from './draft'

interface Part {
  draft: Draft
  fields: Record<string, string>
  onChange: (part: Partial<Draft>) => void
}

const TYPES: readonly { value: OrderType; label: string }[] = [
  { value: 'market', label: 'Market' },
  { value: 'limit', label: 'Limit' },
  { value: 'stop', label: 'Stop' },
  { value: 'stop_limit', label: 'Stop limit' },
  { value: 'trailing_stop', label: 'Trailing stop' },
]

interface TypeSelectProps {
  label: string
  description?: string
  value: OrderType
  only?: readonly OrderType[]
  onChange: (type: OrderType) => void
}

export function TypeSelect({ label, description, value, only, onChange }: TypeSelectProps) {
  return (
    <Select
      label={label}
      description={description}
      data={TYPES.filter((each) => only?.includes(each.value) ?? true)}
      value={value}
      allowDeselect={false}
      onChange={(next) => onChange(next ?? value)}
    />
  )
}

const PRICE_LABELS = {
  limit_price: { label: 'Limit price' },
  stop_price: { label: 'Stop price' },
  trail: { label: 'Trail by', description: 'Money behind the best price' },
} as const

interface TermsFieldsProps {
  terms: TermsDraft
  fields: Record<string, string>
  /** Where the errors of these prices stand, e.g. `oco.`. */
  within?: string
  onChange: (part: Partial<TermsDraft>) => void
}

/** Just the prices that the type has. */
export function TermsFields({ terms, fields, within = '', onChange }: TermsFieldsProps) {
  return PRICES[terms.type].map((name) => (
    <NumberInput
      key={name}
      {...PRICE_LABELS[name]}
      min={0}
      value={terms[name]}
      onChange={(next) => onChange({ [name]: next })}
      error={fields[`${within}${name}`]}
    />
  ))
}

export function ProtectionFields({ draft, fields, onChange }: Part) {
  return (
    <SimpleGrid cols={{ base: 2, xs: 3 }}>
      <NumberInput
        label="Stop loss"
        description="Optional, a price"
        min={0}
        value={draft.stop_loss}
        onChange={(next) => onChange({ stop_loss: next })}
        error={fields.stop_loss}
      />
      <NumberInput
        label="Trail it by"
        description="Optional, money"
        min={0}
        value={draft.stop_trail}
        onChange={(next) => onChange({ stop_trail: next })}
        error={fields.stop_trail}
      />
      <NumberInput
        label="Take profit"
        description="Optional, a price"
        min={0}
        value={draft.take_profit}
        onChange={(next) => onChange({ take_profit: next })}
        error={fields.take_profit}
      />
    </SimpleGrid>
  )
}

const NO_PRICES = { limit_price: '', stop_price: '', trail: '' } as const

/** One cancels the other: a stop beside a limit, or a limit beside a stop. */
export function PairFields({ draft, fields, onChange }: Part) {
  const only = partnersOf(draft.type)
  const [first] = only
  if (first === undefined) return null
  const { oco } = draft
  return (
    <>
      <Switch
        label="One cancels the other"
        description="A second order for the same shares; only one of the two is filled"
        checked={oco !== null}
        onChange={(event) =>
          onChange({ oco: event.currentTarget.checked ? { type: first, ...NO_PRICES } : null })
        }
        error={fields.oco ?? fields['oco.type']}
      />
      {oco && (
        <SimpleGrid cols={2}>
          <TypeSelect
            label="Second order"
            value={oco.type}
            only={only}
            onChange={(type) => onChange({ oco: { ...oco, type } })}
          />
          <TermsFields
            terms={oco}
            fields={fields}
            within="oco."
            onChange={(part) => onChange({ oco: { ...oco, ...part } })}
          />
        </SimpleGrid>
      )}
    </>
  )
}
