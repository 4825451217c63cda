/** Lists that come page by page, as tables want them. */
import { type InfiniteData, type UseInfiniteQueryResult } from '@tanstack/react-query'
import { useMemo } from 'react'

export const PAGE_SIZE = 200

interface Page<T> {
  items: T[]
  next_cursor?: string | null
}

export const paging = {
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page: { next_cursor?: string | null }) => page.next_cursor ?? undefined,
}

/** The rows fetched so far, and the way to more of them. */
export function useRows<T>(query: UseInfiniteQueryResult<InfiniteData<Page<T>>>) {
  const { data, isPending, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = query
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data])
  return {
    rows,
    isPending,
    error,
    refetch: () => void refetch(),
    hasMore: hasNextPage,
    isFetchingMore: isFetchingNextPage,
    fetchMore: () => void fetchNextPage(),
  }
}
