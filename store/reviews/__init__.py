"""The review of a job's conflicts: which wait, who holds which, what was decided. In Redis, beside the job."""

from medner.store.reviews.items import ReviewItem
from medner.store.reviews.queue import Claim, Decided, Filters, Reviews, ReviewState

__all__ = ["Claim", "Decided", "Filters", "ReviewItem", "ReviewState", "Reviews"]
