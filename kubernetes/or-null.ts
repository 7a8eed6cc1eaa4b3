/** null when the object does not exist. */
export async function orNull<T>(reading: Promise<T>): Promise<T | null> {
    return reading.catch((error) => {
        if ((error as { code?: number }).code === 404) return null;
        throw error;
    });
}
