/** Whether the person signed in may import files and have gaps repaired. */
import { useMay } from '@/lib/permission'

export const useMayChangeData = (): boolean => useMay('data')
