/** What is decided about a person: the role, and which accounts they see. */
import { MultiSelect, Select, Stack } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { accounts } from '@/lib/api/accounts'
import type { Role } from '@/lib/api/types'
import { ROLES, saysOf } from './roles'

export interface Rights {
  role: Role
  account_ids: number[]
}

interface UserFieldsProps {
  rights: Rights
  onChange: (change: Partial<Rights>) => void
  errors: Record<string, string>
}

export function UserFields({ rights, onChange, errors }: UserFieldsProps) {
  const { data } = useQuery(accounts.list())
  return (
    <Stack gap="md">
      <Select
        label="Role"
        description={saysOf(rights.role)}
        inputWrapperOrder={['label', 'input', 'description', 'error']}
        data={ROLES.map(({ value, label }) => ({ value, label }))}
        value={rights.role}
        allowDeselect={false}
        onChange={(next) =>
          onChange({ role: ROLES.find(({ value }) => value === next)?.value ?? rights.role })
        }
        error={errors.role}
      />
      {rights.role !== 'admin' && (
        <MultiSelect
          label="Accounts"
          description="None: the person signs in and sees no trading."
          size="sm"
          data={(data?.items ?? []).map(({ id, name }) => ({ value: String(id), label: name }))}
          value={rights.account_ids.map(String)}
          onChange={(next) => onChange({ account_ids: next.map(Number) })}
          error={errors.account_ids}
        />
      )}
    </Stack>
  )
}
