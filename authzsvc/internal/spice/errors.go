package spice

import (
	"context"
	"errors"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/datastore"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"nexus/internal/errs"
)

// fault returns err, from SpiceDB or the store, as one of ours. What is not understood is Unavailable: the question has no
// answer, and who asked must not act as if it had.
func fault(err error) error {
	var ours *errs.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return err
	case errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled:
		return errs.New(errs.Canceled, "the question was abandoned").Because(err)
	case errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded:
		return errs.New(errs.Deadline, "the engine took too long").Because(err)
	case isRevision(err):
		return errs.New(errs.Precondition, "the relationships of that point in time are not available").Because(err)
	case unknown(err):
		return errs.New(errs.Invalid, "the schema has no such definition, relation or permission").Marked(errs.NotValid).Because(err)
	}
	return errs.New(errs.Unavailable, "the relationships cannot be asked").Because(err)
}

// tooDeep reports whether the engine gave up because the way to the answer was too long.
func tooDeep(err error) bool {
	return reason(err) == v1.ErrorReason_ERROR_REASON_MAXIMUM_DEPTH_EXCEEDED
}

func unknown(err error) bool {
	switch reason(err) {
	case v1.ErrorReason_ERROR_REASON_UNKNOWN_DEFINITION, v1.ErrorReason_ERROR_REASON_UNKNOWN_RELATION_OR_PERMISSION:
		return true
	}
	return false
}

func isRevision(err error) bool {
	var invalid datastore.InvalidRevisionError
	return errors.As(err, &invalid) || status.Code(err) == codes.OutOfRange
}

// reason returns the reason that SpiceDB attached to err, from within the process or over gRPC.
func reason(err error) v1.ErrorReason {
	s, ok := status.FromError(err)
	if !ok {
		return v1.ErrorReason_ERROR_REASON_UNSPECIFIED
	}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return v1.ErrorReason(v1.ErrorReason_value[info.GetReason()])
		}
	}
	return v1.ErrorReason_ERROR_REASON_UNSPECIFIED
}
