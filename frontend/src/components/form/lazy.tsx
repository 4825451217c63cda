/** The schema form, fetched when the first one is shown. */
import { Suspense, lazy } from 'react'
import { Loading } from '@/components/States'
import type { SchemaFormProps } from './SchemaForm'

const LazySchemaForm = lazy(() => import('./SchemaForm'))

export function SchemaForm(props: SchemaFormProps) {
  return (
    <Suspense fallback={<Loading rows={3} height={32} />}>
      <LazySchemaForm {...props} />
    </Suspense>
  )
}
