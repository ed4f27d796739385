export function kafkaFolder(): string;
