/** Lists that come page by page, as tables want them. */
import { type InfiniteData, type UseInfiniteQueryResult, infiniteQueryOptions } from '@tanstack/react-query'
import { useMemo } from 'react'

export const PAGE_SIZE = 200

interface Page<T> {
  items: T[]
  next_cursor?: string | null
}

/** A list that is fetched page by page, each page asked for with the cursor of the one before. */
export function pagesOf<T>(
  queryKey: readonly unknown[],
  fetchPage: (cursor: string | undefined) => Promise<Page<T>>,
) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam }) => fetchPage(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })
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
