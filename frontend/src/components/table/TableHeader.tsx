/** Column titles; pressing one sorts by it: first press, other way, unsorted. */
import { Tooltip } from '@mantine/core'
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react'
import styles from './DataTable.module.css'
import type { Column } from './columns'

export interface Sort {
  id: string
  desc: boolean
}

interface TableHeaderProps<T> {
  columns: Column<T>[]
  template: string
  sorting: Sort[]
  onSort: (next: Sort[]) => void
}

function nextSort<T>(column: Column<T>, current: Sort | undefined): Sort[] {
  // Figures are usually wanted largest first, words from A.
  const first = column.align === 'right'
  if (current?.id !== column.id) return [{ id: column.id, desc: first }]
  return current.desc === first ? [{ id: column.id, desc: !first }] : []
}

export function TableHeader<T>({ columns, template, sorting, onSort }: TableHeaderProps<T>) {
  const current = sorting[0]
  return (
    <div role="row" className={styles.header} style={{ gridTemplateColumns: template }}>
      {columns.map((column) => {
        const direction = current?.id === column.id ? (current.desc ? 'descending' : 'ascending') : 'none'
        return (
          <div
            key={column.id}
            role="columnheader"
            aria-sort={direction}
            className={styles.head}
            data-align={column.align}
          >
            <Tooltip label={column.help} disabled={column.help === undefined}>
              <button type="button" className={styles.sort} onClick={() => onSort(nextSort(column, current))}>
                {column.header}
                {direction === 'descending' && <IconArrowDown size={12} aria-hidden />}
                {direction === 'ascending' && <IconArrowUp size={12} aria-hidden />}
              </button>
            </Tooltip>
          </div>
        )
      })}
    </div>
  )
}
