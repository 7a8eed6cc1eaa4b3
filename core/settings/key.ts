/** Namespace of the program's configuration, whatever the Pulumi project is called. */
export const NAMESPACE = "clustermesh";

/** The key of a stack's settings in Pulumi.<stack>.yaml. */
export const SETTINGS_KEY = `${NAMESPACE}:stack`;
