"""What is remembered of images' scans while a command runs, where no stack is deployed."""

from ecr_warden.domain.scan_state import ImageKey, ImageState


class ScanMemory:
    """States of images, as the stack's table has them."""

    def __init__(self) -> None:
        self._states: dict[ImageKey, ImageState] = {}

    def read(self, image: ImageKey) -> ImageState:
        """Give what is known of an image."""
        return self._states.get(image, ImageState())

    def write(self, image: ImageKey, state: ImageState) -> bool:
        """Write a state over the one of the version before it."""
        if self.read(image).version != state.version - 1:
            return False
        self._states[image] = state
        return True

    def settle(self, image: ImageKey, state: ImageState) -> None:
        """Record that a state's outcome is told."""
        known = self.read(image)
        if known.version == state.version and known.untold is not None:
            self._states[image] = state.settled
