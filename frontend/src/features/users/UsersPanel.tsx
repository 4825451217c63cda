/** People who may sign in: a table, a drawer for each, and the way to let another one in. */
import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { IconUsers } from '@tabler/icons-react'
import { useState } from 'react'
import { Badge } from '@/components/Badge'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import type { User } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { EditUser } from './EditUser'
import { NewUser } from './NewUser'
import { users } from './api'

const columns: Column<User>[] = [
  { id: 'email', header: 'E-mail', width: 200, value: (row) => row.email },
  { id: 'name', header: 'Name', width: 120, value: (row) => row.name },
  { id: 'role', header: 'Role', width: 80, value: (row) => row.role, cell: (row) => formatName(row.role) },
  {
    id: 'accounts',
    header: 'Accounts',
    width: 90,
    value: (row) => (row.role === 'admin' ? 'all' : (row.account_ids ?? []).join(', ') || 'none'),
  },
  {
    id: 'state',
    header: 'May sign in',
    width: 90,
    value: (row) => (row.is_active ? 'yes' : 'no'),
    cell: (row) => (row.is_active ? <Badge tone="good">Yes</Badge> : <Badge tone="warning">No</Badge>),
  },
  {
    id: 'second_factor',
    header: 'Two factors',
    width: 90,
    value: (row) => (row.has_second_factor ? 'yes' : 'no'),
  },
  {
    id: 'last_sign_in_at',
    header: 'Last signed in',
    width: 110,
    value: (row) => row.last_sign_in_at,
    cell: (row) => (row.last_sign_in_at ? <TimeAgo at={row.last_sign_in_at} /> : 'Never'),
  },
]

interface UsersPanelProps {
  openId: number | undefined
  onOpen: (id: number | undefined) => void
}

export function UsersPanel({ openId, onOpen }: UsersPanelProps) {
  const [isAdding, setAdding] = useState(false)
  const data = useRows(useInfiniteQuery(users.list()))
  const open = data.rows.find(({ id }) => id === openId)
  return (
    <>
      <DataTable
        name="users"
        label="Users"
        columns={columns}
        data={data}
        rowId={(row) => String(row.id)}
        openId={openId === undefined ? undefined : String(openId)}
        onOpen={(row) => onOpen(row.id)}
        filters={<Button onClick={() => setAdding(true)}>New user</Button>}
        empty={<Empty title="Nobody yet" icon={<IconUsers size={28} stroke={1.4} />} />}
      />
      <SideDrawer
        isOpen={open !== undefined}
        onClose={() => onOpen(undefined)}
        title={<b>{open?.email}</b>}
        size={440}
      >
        {open && <EditUser key={open.id} user={open} onDone={() => onOpen(undefined)} />}
      </SideDrawer>
      {isAdding && <NewUser onClose={() => setAdding(false)} />}
    </>
  )
}
