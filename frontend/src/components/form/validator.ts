/** JSON-schema validation for forms without `eval`, which the content security policy forbids. */
import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema'
import {
  type CustomValidator,
  type ErrorTransformer,
  type RJSFSchema,
  type RJSFValidationError,
  type UiSchema,
  type ValidationData,
  type ValidatorType,
  toErrorSchema,
} from '@rjsf/utils'

interface Bounds {
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  title?: string
  enum?: unknown[]
}

/** Follows a JSON pointer such as `#/properties/fast` into the schema. */
function lookUp(schema: RJSFSchema, pointer: string): Bounds {
  const steps = pointer.replace(/^#\/?/, '').split('/').filter(Boolean)
  return steps.reduce<unknown>(
    (at, step) => (at as Record<string, unknown> | undefined)?.[step],
    schema,
  ) as Bounds
}

const SENTENCES: Record<string, (bounds: Bounds) => string> = {
  minimum: ({ minimum }) => `Must be at least ${String(minimum)}.`,
  maximum: ({ maximum }) => `Must be at most ${String(maximum)}.`,
  exclusiveMinimum: ({ exclusiveMinimum }) => `Must be more than ${String(exclusiveMinimum)}.`,
  exclusiveMaximum: ({ exclusiveMaximum }) => `Must be less than ${String(exclusiveMaximum)}.`,
  enum: ({ enum: choices = [] }) => `Must be one of ${choices.map(String).join(', ')}.`,
  required: () => 'Is needed.',
  type: () => 'Is not the right kind of value.',
}

/** Keywords that only say that something inside them failed. */
const CONTAINERS = new Set(['properties', 'items', '$ref', 'allOf'])

function toError(schema: RJSFSchema, unit: OutputUnit): RJSFValidationError {
  const parent = unit.keywordLocation.slice(0, unit.keywordLocation.lastIndexOf('/'))
  const bounds = lookUp(schema, parent)
  const missing = unit.keyword === 'required' ? /"([^"]+)"/.exec(unit.error)?.[1] : undefined
  const path = [...unit.instanceLocation.replace(/^#\/?/, '').split('/'), missing].filter(Boolean)
  const property = path.map((step) => `.${String(step)}`).join('')
  const message = SENTENCES[unit.keyword]?.(bounds) ?? unit.error
  return { name: unit.keyword, property, message, stack: `${property} ${message}` }
}

export function errorsOf(schema: RJSFSchema, data: unknown): RJSFValidationError[] {
  // Absent and undefined are the same to a form.
  const plain: unknown = JSON.parse(JSON.stringify(data ?? {}))
  const result = new Validator(schema as Schema, '2020-12', false).validate(plain)
  return result.errors.filter((unit) => !CONTAINERS.has(unit.keyword)).map((unit) => toError(schema, unit))
}

class CfworkerValidator<T> implements ValidatorType<T> {
  validateFormData(
    formData: T | undefined,
    schema: RJSFSchema,
    _custom?: CustomValidator<T>,
    transformErrors?: ErrorTransformer<T>,
    uiSchema?: UiSchema<T>,
  ): ValidationData<T> {
    const found = errorsOf(schema, formData)
    const errors = transformErrors ? transformErrors(found, uiSchema) : found
    return { errors, errorSchema: toErrorSchema<T>(errors) }
  }

  isValid(schema: RJSFSchema, formData: T | undefined): boolean {
    return errorsOf(schema, formData).length === 0
  }

  // The library's interface leaves the kind of error to the caller.
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  rawValidation<Result>(schema: RJSFSchema, formData?: T): { errors?: Result[] } {
    return { errors: errorsOf(schema, formData) as Result[] }
  }
}

export const validator: ValidatorType<Record<string, unknown>> = new CfworkerValidator()
