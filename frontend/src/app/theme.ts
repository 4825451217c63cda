/** Mantine in our colours: teal for what can be pressed, hairlines instead of shadows. */
import {
  type CSSVariablesResolver,
  type MantineColorsTuple,
  type VariantColorsResolver,
  createTheme,
  defaultVariantColorsResolver,
  localStorageColorSchemeManager,
} from '@mantine/core'

const teal: MantineColorsTuple = [
  '#e6f8f5',
  '#cdeee9',
  '#9bdfd5',
  '#67d1c1',
  '#3ccfbb',
  '#2ab8a5',
  '#17988a',
  '#0f766e',
  '#0b6e64',
  '#06524a',
]

/** Mantine's greys, as our slate. */
const dark: MantineColorsTuple = [
  '#eceff3',
  '#a5afbb',
  '#8592a0',
  '#5c6773',
  '#33404e',
  '#28323e',
  '#161c24',
  '#11161d',
  '#0b0e13',
  '#07090d',
]

/** The accent is one colour to fill with, another to write with, and a third to write on. */
const variantColors: VariantColorsResolver = (input) => {
  const colors = defaultVariantColorsResolver(input)
  if (input.color !== undefined && input.color !== 'teal') return colors
  switch (input.variant) {
    case 'filled':
      return {
        ...colors,
        background: 'var(--tw-accent-fill)',
        hover: 'var(--tw-accent-fill-hover)',
        color: 'var(--tw-on-accent)',
      }
    case 'outline':
    case 'subtle':
      return { ...colors, hover: 'var(--tw-hover)', color: 'var(--tw-accent)' }
    default:
      return colors
  }
}

export const theme = createTheme({
  primaryColor: 'teal',
  variantColorResolver: variantColors,
  colors: { teal, dark },
  primaryShade: { light: 7, dark: 5 },
  autoContrast: true,
  luminanceThreshold: 0.32,
  defaultRadius: 'md',
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, monospace",
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  spacing: { xs: '4px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  radius: { xs: '3px', sm: '5px', md: '8px', lg: '10px', xl: '14px' },
  headings: { fontWeight: '600' },
  cursorType: 'pointer',
  components: {
    Button: { defaultProps: { size: 'xs' } },
    TextInput: { defaultProps: { size: 'sm' } },
    PasswordInput: { defaultProps: { size: 'sm' } },
    NumberInput: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm', checkIconPosition: 'right' } },
    Tooltip: { defaultProps: { openDelay: 250, withArrow: false, fz: 'xs' } },
    Modal: {
      defaultProps: {
        centered: true,
        overlayProps: { backgroundOpacity: 0.5 },
        closeButtonProps: { 'aria-label': 'Close' },
      },
    },
    Drawer: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
    Menu: { defaultProps: { shadow: 'md' } },
  },
})

const named = {
  '--mantine-color-body': 'var(--tw-bg)',
  '--mantine-color-text': 'var(--tw-text)',
  '--mantine-color-dimmed': 'var(--tw-text-2)',
  '--mantine-color-placeholder': 'var(--tw-text-3)',
  '--mantine-color-default': 'var(--tw-raised)',
  '--mantine-color-default-hover': 'var(--tw-hover)',
  '--mantine-color-default-border': 'var(--tw-border-strong)',
  '--mantine-color-default-color': 'var(--tw-text)',
  '--mantine-color-error': 'var(--tw-error)',
  '--mantine-color-anchor': 'var(--tw-accent)',
  '--mantine-primary-color-filled': 'var(--tw-accent-fill)',
  '--mantine-primary-color-filled-hover': 'var(--tw-accent-fill-hover)',
  '--mantine-primary-color-contrast': 'var(--tw-on-accent)',
  '--mantine-color-teal-light-color': 'var(--tw-accent)',
  '--mantine-color-teal-outline': 'var(--tw-accent)',
  '--mantine-color-red-outline': 'var(--tw-error)',
  '--mantine-color-red-filled': 'var(--tw-critical-fill)',
}

export const cssVariables: CSSVariablesResolver = () => ({ variables: {}, light: named, dark: named })

export const colorSchemeManager = localStorageColorSchemeManager({ key: 'tw-color-scheme' })
