/** Signing in; afterwards back to where one wanted to go. */
import { useQueryClient } from '@tanstack/react-query'
import { createLazyRoute, useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { useEffect } from 'react'
import { AuthCard } from '@/features/auth/AuthCard'
import { SignInForm } from '@/features/auth/SignInForm'
import { auth } from '@/lib/api/auth'
import type { Me } from '@/lib/api/types'

function SignInPage() {
  const client = useQueryClient()
  const router = useRouter()
  const navigate = useNavigate()
  const { next } = useSearch({ from: '/sign-in' })
  useEffect(() => {
    document.title = 'Sign in · Tradewright'
  }, [])
  const enter = (me: Me) => {
    client.setQueryData(auth.me().queryKey, me)
    // Only a path of our own: a link must not lead a freshly signed-in person elsewhere.
    if (next?.startsWith('/') && !next.startsWith('//')) router.history.push(next)
    else void navigate({ to: '/' })
  }
  return (
    <AuthCard title="Sign in" lead="Welcome back.">
      <SignInForm onDone={enter} />
    </AuthCard>
  )
}

export const route = createLazyRoute('/sign-in')({ component: SignInPage })
