import { AwsError } from "../error.ts";

export function noSuchEntity(message: string): AwsError {
    return new AwsError("NoSuchEntity", message, 404);
}

export function alreadyExists(message: string): AwsError {
    return new AwsError("EntityAlreadyExists", message, 409);
}

export function deleteConflict(message: string): AwsError {
    return new AwsError("DeleteConflict", message, 409);
}

export function limitExceeded(message: string): AwsError {
    return new AwsError("LimitExceeded", message, 409);
}

export function invalid(message: string): AwsError {
    return new AwsError("ValidationError", message);
}
