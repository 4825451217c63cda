/** An address that leads nowhere. */
import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { Empty } from '@/components/States'

export function NotFound() {
  return (
    <Empty
      title="There is no such page"
      action={
        <Button component={Link} to="/">
          Go to the dashboard
        </Button>
      }
    >
      The address may be mistyped, or the page may come with a later version.
    </Empty>
  )
}
