/** Above a table: its filters, the choice of columns, and the way out as CSV. */
import { ActionIcon, Checkbox, Menu, Tooltip } from '@mantine/core'
import { IconColumns3, IconDownload } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { downloadCsv } from '@/lib/csv'
import { getPreferences, setPreferences } from '@/lib/preferences'
import styles from './DataTable.module.css'
import type { Column } from './columns'

interface TableToolsProps<T> {
  name: string
  columns: Column<T>[]
  shown: Column<T>[]
  rows: T[]
  filters: ReactNode
}

function toggle<T>(name: string, columns: Column<T>[], shown: Column<T>[], id: string): void {
  const isShown = shown.some((column) => column.id === id)
  const hidden = columns.filter((column) => (column.id === id ? isShown : !shown.includes(column)))
  // A table without columns cannot be brought back by looking at it.
  if (hidden.length === columns.length) return
  setPreferences({
    hiddenColumns: { ...getPreferences().hiddenColumns, [name]: hidden.map((column) => column.id) },
  })
}

export function TableTools<T>({ name, columns, shown, rows, filters }: TableToolsProps<T>) {
  const exportCsv = () =>
    downloadCsv(
      name,
      shown.map((column) => column.header),
      rows.map((row) => shown.map((column) => column.value(row))),
    )
  return (
    <div className={styles.tools}>
      <div className={styles.filters}>{filters}</div>
      <Menu closeOnItemClick={false} position="bottom-end">
        <Menu.Target>
          <Tooltip label="Choose columns">
            <ActionIcon variant="subtle" color="gray" aria-label="Choose columns">
              <IconColumns3 size={16} />
            </ActionIcon>
          </Tooltip>
        </Menu.Target>
        <Menu.Dropdown>
          {columns.map((column) => {
            const isVisible = shown.includes(column)
            return (
              <Menu.Item
                key={column.id}
                role="menuitemcheckbox"
                aria-checked={isVisible}
                onClick={() => toggle(name, columns, shown, column.id)}
                leftSection={<Checkbox.Indicator checked={isVisible} size="xs" />}
              >
                {column.header}
              </Menu.Item>
            )
          })}
        </Menu.Dropdown>
      </Menu>
      <Tooltip label="Download as CSV">
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label="Download as CSV"
          disabled={rows.length === 0}
          onClick={exportCsv}
        >
          <IconDownload size={16} />
        </ActionIcon>
      </Tooltip>
    </div>
  )
}
