/** What Lambda hands a handler beside the event, as far as it is looked at; anything may call a handler. */
export interface InvocationContext {
  readonly awsRequestId?: string;
  getRemainingTimeInMillis?(): number;
}
