/** The first minute: the console's token, a user, the dashboard. */
import { expect, test } from '@playwright/test'
import { STATE_FILE } from './playwright.config'
import { baseUrl } from './product'

const EMAIL = process.env.E2E_EMAIL ?? 'ada@example.com'
const PASSWORD = process.env.E2E_PASSWORD ?? 'seven quiet lanterns over Oslo'

test('the first user signs up with the token, which leaves the address bar', async ({ page }) => {
  const token = process.env.E2E_TOKEN
  await page.goto(token ? `${baseUrl()}/?token=${token}` : `${baseUrl()}/sign-in`)
  await page.getByLabel('E-mail').fill(EMAIL)
  await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD)
  expect(page.url()).not.toContain('token')
  await page.getByRole('button', { name: token ? 'Create the first user' : 'Sign in' }).click()
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible()
  await expect(page.getByText('PAPER', { exact: true })).toBeVisible()
  await page.context().storageState({ path: STATE_FILE })
})
