/** A form made from a JSON schema: units, bounds and help beside each field, errors in words under it. */
import Form from '@rjsf/core/lib/components/Form.js'
import type { UiSchema } from '@rjsf/utils'
import { fields, templates, widgets } from './parts'
import { validator } from './validator'

export type FormValues = Record<string, unknown>

export interface SchemaFormProps {
  id: string
  schema: Record<string, unknown>
  values: FormValues
  onChange: (values: FormValues) => void
  onSubmit?: () => void
  /** Errors that only the server could find, by field. */
  serverErrors?: Record<string, string>
}

const uiSchema: UiSchema<FormValues> = { 'ui:submitButtonOptions': { norender: true } }

export default function SchemaForm({
  id,
  schema,
  values,
  onChange,
  onSubmit,
  serverErrors = {},
}: SchemaFormProps) {
  const extraErrors = Object.fromEntries(
    Object.entries(serverErrors).map(([field, message]) => [
      field.replace(/^parameters\./, ''),
      { __errors: [message] },
    ]),
  )
  return (
    <Form<FormValues>
      tagName="div"
      idPrefix={id}
      // The description of the whole is said elsewhere on the page.
      schema={{ ...schema, title: undefined, description: undefined }}
      uiSchema={uiSchema}
      formData={values}
      validator={validator}
      templates={templates}
      widgets={widgets}
      fields={fields}
      extraErrors={extraErrors}
      liveValidate
      showErrorList={false}
      noHtml5Validate
      onChange={({ formData }) => onChange(formData ?? {})}
      onSubmit={() => onSubmit?.()}
    >
      <></>
    </Form>
  )
}
