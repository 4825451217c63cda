/** How the schema form draws: a grid of fields, numbers with units and bounds, choices, switches. */
import { NumberInput, Select, Switch, TagsInput, TextInput } from '@mantine/core'
import type {
  FieldTemplateProps,
  ObjectFieldTemplateProps,
  RegistryFieldsType,
  RegistryWidgetsType,
  StrictRJSFSchema,
  TemplatesType,
  WidgetProps,
} from '@rjsf/utils'
import type { FormValues } from './SchemaForm'
import styles from './SchemaForm.module.css'

interface Facts {
  unit: string
  range: string
  isWhole: boolean
}

/** What a person should know of a field's values before typing one. */
export function factsOf(schema: StrictRJSFSchema): Facts {
  const { minimum, maximum, type } = schema
  const unit: unknown =
    (schema as Record<string, unknown>)['x-unit'] ?? (schema as Record<string, unknown>).unit
  const range =
    minimum !== undefined && maximum !== undefined
      ? `${String(minimum)} to ${String(maximum)}`
      : minimum !== undefined
        ? `at least ${String(minimum)}`
        : maximum !== undefined
          ? `at most ${String(maximum)}`
          : ''
  return { unit: typeof unit === 'string' ? unit : '', range, isWhole: type === 'integer' }
}

const titleOf = ({ schema, label }: WidgetProps<FormValues>): string => {
  const words = (schema.title ?? label).replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function describe({ schema }: WidgetProps<FormValues>): string | undefined {
  const { unit, range } = factsOf(schema)
  const bounds = [range, unit].filter(Boolean).join(' ')
  return (
    [schema.description, bounds === '' ? undefined : `(${bounds})`].filter(Boolean).join(' ') || undefined
  )
}

const shared = (props: WidgetProps<FormValues>) => ({
  id: props.id,
  label: titleOf(props),
  description: describe(props),
  error: props.rawErrors?.join(' '),
  disabled: props.disabled || props.readonly,
})

function NumberWidget(props: WidgetProps<FormValues>) {
  const { schema, onChange } = props
  const value: unknown = props.value
  const { unit, isWhole } = factsOf(schema)
  return (
    <NumberInput
      {...shared(props)}
      value={typeof value === 'number' || typeof value === 'string' ? value : ''}
      onChange={(next) => onChange(next === '' ? undefined : Number(next))}
      step={isWhole ? 1 : (schema.multipleOf ?? 0.01)}
      allowDecimal={!isWhole}
      clampBehavior="none"
      suffix={unit === '' ? undefined : ` ${unit}`}
    />
  )
}

function TextWidget(props: WidgetProps<FormValues>) {
  const { type } = props.schema
  if (type === 'number' || type === 'integer') return <NumberWidget {...props} />
  const value: unknown = props.value
  return (
    <TextInput
      {...shared(props)}
      value={typeof value === 'string' || typeof value === 'number' ? value : ''}
      onChange={(event) =>
        props.onChange(event.currentTarget.value === '' ? undefined : event.currentTarget.value)
      }
    />
  )
}

function SelectWidget(props: WidgetProps<FormValues>) {
  const choices = props.options.enumOptions ?? []
  const index = choices.findIndex((choice) => choice.value === props.value)
  return (
    <Select
      {...shared(props)}
      data={choices.map((choice, at) => ({ value: String(at), label: choice.label }))}
      value={index < 0 ? null : String(index)}
      onChange={(at) => props.onChange(at === null ? undefined : choices[Number(at)]?.value)}
      allowDeselect={!props.required}
    />
  )
}

function SwitchWidget(props: WidgetProps<FormValues>) {
  return (
    <Switch
      {...shared(props)}
      checked={props.value === true}
      onChange={(event) => props.onChange(event.currentTarget.checked)}
    />
  )
}

function TagsWidget(props: WidgetProps<FormValues>) {
  const value: unknown = props.value
  return (
    <TagsInput
      {...shared(props)}
      value={Array.isArray(value) ? value.map(String) : []}
      onChange={(next) => props.onChange(next)}
    />
  )
}

const FieldTemplate = ({ children, hidden }: FieldTemplateProps<FormValues>) =>
  hidden ? <div hidden>{children}</div> : <div className={styles.field}>{children}</div>

const ObjectFieldTemplate = ({ properties }: ObjectFieldTemplateProps<FormValues>) => (
  <div className={styles.grid}>
    {properties.map((property) => (
      <div key={property.name}>{property.content}</div>
    ))}
  </div>
)

export const templates: Partial<TemplatesType<FormValues>> = {
  FieldTemplate,
  ObjectFieldTemplate,
  BaseInputTemplate: TextWidget,
}

export const widgets: RegistryWidgetsType<FormValues> = {
  TextWidget,
  SelectWidget,
  CheckboxWidget: SwitchWidget,
  CheckboxesWidget: TagsWidget,
  UpDownWidget: NumberWidget,
}

export const fields: RegistryFieldsType<FormValues> = {}
