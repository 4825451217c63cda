/** The operator's round: two factors and back, a setting and back, an event's causes, a job, the audit trail. */
import { createHmac } from 'node:crypto'
import { type Page, expect, test } from '@playwright/test'
import { baseUrl, seriousFindings } from './product'

const EMAIL = process.env.E2E_EMAIL ?? 'ada@example.com'
const PASSWORD = process.env.E2E_PASSWORD ?? 'seven quiet lanterns over Oslo'
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const STEP_SECONDS = 30

/** The code that an authenticator app shows (RFC 6238, SHA-1, six digits). */
function codeOf(secret: string, at: number): string {
  const bits = Array.from(secret.replaceAll(' ', ''))
    .map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0'))
    .join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 1000 / STEP_SECONDS)))
  const mac = createHmac('sha1', key).update(counter).digest()
  const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff
  return String(number % 1_000_000).padStart(6, '0')
}

async function signIn(page: Page): Promise<void> {
  await page.goto(`${baseUrl()}/sign-in`)
  await page.getByLabel('E-mail').fill(EMAIL)
  await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

test.describe('in a session of its own, since a fresh proof gives it another cookie', () => {
  test.use({ storageState: { cookies: [], origins: [] } })

  test('two-factor sign-in is turned on with a code, asked for, and turned off', async ({ page }) => {
    await signIn(page)
    await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible()
    await page.goto(`${baseUrl()}/settings?tab=security`)
    const codes = page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem')

    await test.step('it counts once a first code has confirmed it', async () => {
      await page.getByRole('button', { name: 'Turn on' }).click()
      await expect(page.getByRole('img', { name: /^QR code/ })).toBeVisible()
      const secret = (await page.getByLabel('Secret', { exact: true }).textContent()) ?? ''
      expect(await seriousFindings(page)).toEqual([])
      await page.getByLabel('The code it shows').fill(codeOf(secret, Date.now()))
      await page.getByRole('button', { name: 'Turn it on' }).click()
      await expect(codes.first()).toBeVisible()
    })

    await test.step('signing in again asks for a code, and takes a recovery code', async () => {
      const recovery = (await codes.first().textContent()) ?? ''
      await page.context().clearCookies()
      await signIn(page)
      await page.getByLabel('Code').fill(recovery)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible()
    })

    await test.step('it is turned off again', async () => {
      await page.goto(`${baseUrl()}/settings?tab=security`)
      await page.getByRole('button', { name: 'Turn off…' }).click()
      await page.getByRole('button', { name: 'Turn it off' }).click()
      await expect(page.getByRole('button', { name: 'Turn on' })).toBeVisible()
    })
  })
})

test('a setting is changed, found in its history and in the audit trail, and taken back', async ({
  page,
}) => {
  await page.goto(`${baseUrl()}/trading-engine?tab=config&key=max_day_trades`)
  const drawer = page.getByRole('dialog')
  await drawer.getByRole('textbox', { name: 'Max day trades' }).fill('2')
  await drawer.getByLabel('Reason').fill('a calm day')
  await drawer.getByRole('button', { name: 'Change it now' }).click()
  await expect(drawer).toHaveCount(0)

  await page.getByRole('radiogroup', { name: 'View' }).getByText('Changes').click()
  const row = page.getByRole('row').filter({ hasText: 'a calm day' }).first()
  await expect(row).toContainText('Max day trades')
  await row.getByRole('button', { name: /^Take back/ }).click()
  await page.getByRole('button', { name: 'Take it back' }).click()
  await expect(page.getByRole('row').filter({ hasText: 'rolled back' }).first()).toBeVisible()

  await page.goto(`${baseUrl()}/settings?tab=audit&resource=config`)
  await expect(page.getByRole('row').filter({ hasText: 'a calm day' }).first()).toBeVisible()
  await page.getByRole('button', { name: 'Verify' }).click()
  await expect(page.getByRole('dialog').getByText('Every chain holds')).toBeVisible()
  expect(await seriousFindings(page)).toEqual([])
})

test('an event shows what led to it, and a job runs when asked', async ({ page }) => {
  // The change of a setting above is a command to every engine, and what it did follows from it.
  await page.goto(`${baseUrl()}/trading-engine?tab=events&type=limits_changed`)
  const history = page.getByRole('grid', { name: 'Event history' })
  await history.getByRole('row').filter({ hasText: 'Limits changed' }).first().click()
  await expect(page.getByRole('list', { name: 'What led to it' }).getByRole('listitem').first()).toBeVisible()
  expect(await seriousFindings(page)).toEqual([])

  await page.goto(`${baseUrl()}/trading-engine?tab=jobs&job=housekeeping`)
  const drawer = page.getByRole('dialog')
  await drawer.getByRole('button', { name: 'Run it now' }).click()
  const run = drawer
    .getByRole('list', { name: 'Runs' })
    .getByRole('listitem')
    .filter({ hasText: 'asked for by' })
  await expect(run.filter({ hasText: 'Succeeded' }).first()).toBeVisible({ timeout: 30_000 })
  expect(await seriousFindings(page)).toEqual([])
})

test('the lists of engine and settings are sound, wide and narrow', async ({ page }) => {
  const sections = [
    ['/trading-engine?tab=alerts&view=rules', 'list', 'Rules'],
    ['/trading-engine?tab=bus', 'region', 'Handlers'],
    ['/settings?tab=keys', 'list', 'API keys'],
    ['/settings?tab=credentials', 'list', 'Keys of vendors'],
    ['/settings?tab=notifications', 'button', 'New channel'],
    ['/settings?tab=backups', 'button', 'Make one now'],
  ] as const
  for (const [path, role, name] of sections) {
    await test.step(path, async () => {
      await page.setViewportSize({ width: 1440, height: 900 })
      await page.goto(baseUrl() + path)
      await expect(page.getByRole(role, { name, exact: true })).toBeAttached()
      expect(await seriousFindings(page)).toEqual([])
      await page.setViewportSize({ width: 360, height: 780 })
      const overflow = () =>
        page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      await expect.poll(overflow).toBe(0)
    })
  }
})
