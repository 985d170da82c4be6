/** Every IAM action that these constructs put into a policy. Resources are always one ARN, never a wildcard of ours. */

/** What a function does in its own log group; the group itself is created by the stack. */
export const WRITE_LOGS = ['logs:CreateLogStream', 'logs:PutLogEvents'];
