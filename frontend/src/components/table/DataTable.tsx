/** The main instrument: a virtualised, sortable table that the keyboard can walk; a row opens a drawer. */
import {
  columnVisibilityFeature,
  createSortedRowModel,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from '@tanstack/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useId, useMemo, useRef, useState } from 'react'
import { Failed } from '@/components/States'
import { usePreferences } from '@/lib/preferences'
import styles from './DataTable.module.css'
import { SkeletonRows, TableFooter } from './TableParts'
import { TableHeader } from './TableHeader'
import { TableTools } from './TableTools'
import { type Column, compareForSort, gridTemplate, isShown } from './columns'
import { useRowKeys } from './use-row-keys'

export interface TableData<T> {
  rows: T[]
  isPending: boolean
  error: Error | null
  refetch?: () => void
  /** More rows can be fetched; called as the end comes near. */
  hasMore?: boolean
  isFetchingMore?: boolean
  fetchMore?: () => void
}

interface DataTableProps<T> {
  /** Names the table: its columns are remembered under this, and its CSV is called this. */
  name: string
  label: string
  columns: Column<T>[]
  data: TableData<T>
  rowId: (row: T) => string
  onOpen?: (row: T) => void
  openId?: string | undefined
  /** Said when there are no rows: what to do next. */
  empty: ReactNode
  filters?: ReactNode
  initialSort?: { id: string; desc: boolean }
  /** No toolbar; for tables inside panels. */
  isCompact?: boolean
}

const features = tableFeatures({
  rowSortingFeature,
  columnVisibilityFeature,
  sortedRowModel: createSortedRowModel(),
})

const ROW_HEIGHT = 32

export function DataTable<T extends object>(props: DataTableProps<T>) {
  const {
    name,
    label,
    columns,
    data,
    rowId,
    onOpen,
    openId,
    empty,
    filters,
    initialSort,
    isCompact = false,
  } = props
  const choice = usePreferences().hiddenColumns[name]
  const [sorting, setSorting] = useState(initialSort ? [initialSort] : [])
  const isDescending = sorting[0]?.desc ?? false
  const definitions = useMemo(
    () =>
      columns.map((column) => ({
        id: column.id,
        accessorFn: column.value,
        header: column.header,
        sortDescFirst: column.align === 'right',
        sortFn: (
          a: { getValue: (id: string) => unknown },
          b: { getValue: (id: string) => unknown },
          id: string,
        ) => compareForSort(a.getValue(id) as string, b.getValue(id) as string, isDescending),
      })),
    [columns, isDescending],
  )
  const table = useTable({
    features,
    columns: definitions,
    data: data.rows,
    getRowId: rowId,
    state: { sorting },
    onSortingChange: setSorting,
  })
  const shown = columns.filter((column) => isShown(column, choice))
  const rows = table.getRowModel().rows
  const template = gridTemplate(shown.map(({ width }) => width))
  const minWidth = shown.reduce((sum, { width }) => sum + width, 24)

  const scroller = useRef<HTMLDivElement>(null)
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  })
  const items = virtualizer.getVirtualItems()
  const openRow = (index: number) => {
    const row = rows[index]
    if (row) onOpen?.(row.original)
  }
  const prefix = useId()
  const { active, setActive, onKeyDown } = useRowKeys(
    rows.length,
    (index) => virtualizer.scrollToIndex(index),
    openRow,
  )
  const isNearEnd = (items.at(-1)?.index ?? 0) >= rows.length - 20

  if (data.hasMore === true && data.isFetchingMore !== true && isNearEnd && rows.length > 0) {
    queueMicrotask(() => data.fetchMore?.())
  }

  return (
    <div className={styles.table}>
      {!isCompact && (
        <TableTools
          name={name}
          columns={columns}
          shown={shown}
          rows={rows.map((row) => row.original)}
          filters={filters}
        />
      )}
      <div
        ref={scroller}
        className={styles.scroller}
        role="grid"
        aria-label={label}
        aria-rowcount={rows.length + 1}
        aria-activedescendant={active === null ? undefined : `${prefix}-${String(active)}`}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <div style={{ minWidth }} role="presentation">
          <TableHeader columns={shown} template={template} sorting={sorting} onSort={setSorting} />
          {(data.isPending || rows.length === 0) && (
            // A grid may hold nothing but rows of cells: what stands in their place is one.
            <div role="row">
              <div role="gridcell" className={styles.states}>
                {data.isPending && <SkeletonRows />}
                {data.error !== null && rows.length === 0 && (
                  <Failed error={data.error} onRetry={data.refetch} />
                )}
                {!data.isPending && data.error === null && rows.length === 0 && empty}
              </div>
            </div>
          )}
          <div style={{ height: virtualizer.getTotalSize(), position: 'relative' }} role="rowgroup">
            {items.map((item) => {
              const row = rows[item.index]
              if (!row) return null
              const isOpen = openId !== undefined && row.id === openId
              return (
                <div
                  key={row.id}
                  id={`${prefix}-${String(item.index)}`}
                  role="row"
                  aria-rowindex={item.index + 2}
                  aria-selected={onOpen ? isOpen || item.index === active : undefined}
                  className={styles.row}
                  data-active={item.index === active || undefined}
                  data-open={isOpen || undefined}
                  data-pressable={onOpen !== undefined || undefined}
                  style={{ gridTemplateColumns: template, transform: `translateY(${String(item.start)}px)` }}
                  onClick={() => {
                    setActive(item.index)
                    openRow(item.index)
                  }}
                >
                  {shown.map((column) => (
                    <div key={column.id} role="gridcell" className={styles.cell} data-align={column.align}>
                      {column.cell ? column.cell(row.original) : (column.value(row.original) ?? '–')}
                    </div>
                  ))}
                </div>
              )
            })}
          </div>
        </div>
      </div>
      {!isCompact && (
        <TableFooter
          count={rows.length}
          hasMore={data.hasMore === true}
          isFetchingMore={data.isFetchingMore === true}
        />
      )}
    </div>
  )
}
