/** The first sign-up, with the token that the console printed. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, createLazyRoute, useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { AuthCard } from '@/features/auth/AuthCard'
import { SignUpForm } from '@/features/auth/SignUpForm'
import { auth } from '@/lib/api/auth'
import type { Me } from '@/lib/api/types'
import { firstRunToken, forgetFirstRunToken } from '@/lib/first-run-token'

function SignUpPage() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { data: state } = useQuery(auth.state())
  useEffect(() => {
    document.title = 'Welcome · Tradewright'
  }, [])
  const enter = (me: Me) => {
    forgetFirstRunToken()
    client.setQueryData(auth.me().queryKey, me)
    void navigate({ to: '/' })
  }
  if (state?.needs_sign_up === false) {
    return (
      <AuthCard
        title="Already set up"
        lead="This Tradewright has its first user; more are added in Settings."
      >
        <Link to="/sign-in">Sign in</Link>
      </AuthCard>
    )
  }
  return (
    <AuthCard title="Welcome" lead="Create the first user of this Tradewright. It takes half a minute.">
      <SignUpForm token={firstRunToken()} onDone={enter} />
    </AuthCard>
  )
}

export const route = createLazyRoute('/sign-up')({ component: SignUpPage })
