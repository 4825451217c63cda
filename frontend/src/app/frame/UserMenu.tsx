/** Who is signed in; how it looks; the way out. */
import { ActionIcon, Menu, useMantineColorScheme } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { IconEye, IconLogout, IconMoon, IconSettings, IconSun, IconUser } from '@tabler/icons-react'
import { notifyError } from '@/components/notify'
import { auth, signOut } from '@/lib/api/auth'
import { setPreferences, usePreferences } from '@/lib/preferences'

export function UserMenu() {
  const { data: me } = useQuery(auth.me())
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const { pnlColors } = usePreferences()
  const client = useQueryClient()
  const navigate = useNavigate()
  const leave = async () => {
    try {
      await signOut()
      client.clear()
      await navigate({ to: '/sign-in' })
    } catch (error) {
      notifyError(error)
    }
  }
  const isDark = colorScheme !== 'light'
  const isBlueOrange = pnlColors === 'blue-orange'
  return (
    <Menu position="bottom-end" width={230}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" radius="xl" aria-label={`Signed in as ${me?.email ?? '…'}`}>
          <IconUser size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {me?.email} · {me?.role}
        </Menu.Label>
        <Menu.Item
          leftSection={isDark ? <IconSun size={14} /> : <IconMoon size={14} />}
          onClick={() => setColorScheme(isDark ? 'light' : 'dark')}
        >
          {isDark ? 'Light' : 'Dark'} appearance
        </Menu.Item>
        <Menu.Item
          leftSection={<IconEye size={14} />}
          onClick={() => setPreferences({ pnlColors: isBlueOrange ? 'teal-coral' : 'blue-orange' })}
        >
          {isBlueOrange ? 'Teal and coral changes' : 'Blue and orange changes'}
        </Menu.Item>
        <Menu.Item component={Link} to="/settings" leftSection={<IconSettings size={14} />}>
          Settings
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={14} />} onClick={() => void leave()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
