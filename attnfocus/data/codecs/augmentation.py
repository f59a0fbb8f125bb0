"""Images that are moved, turned, cropped and mirrored at random, in training alone.

Shapes: images are (rows, columns, channels).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Augmentation(NamedTuple):
    """How far an image may be changed; all of it is one map of places, so that pixels are mixed once.

    Attributes:
        shift: the most pixels in each direction.
        rotation: the most degrees to either side.
        crop: the largest share of each side that is cut away; what is left is enlarged to the whole.
        flip: whether every second image is mirrored, left to right.
    """

    shift: int = 0
    rotation: float = 0.0
    crop: float = 0.0
    flip: bool = False

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Augmentation:
        """What a codec's file holds.

        Raises:
            TypeError, ValueError: it is none.
        """
        return cls(int(content["shift"]), float(content["rotation"]), float(content["crop"]), bool(content["flip"]))

    def applied(self, image: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
        """The image as it is seen this time: a function of what the generator draws. Beyond the edge it goes on."""
        if self == NO_AUGMENTATION:
            return image
        from scipy.ndimage import affine_transform  # late: most runs need none of it

        down, right = generator.uniform(-self.shift, self.shift, 2)
        angle = np.deg2rad(generator.uniform(-self.rotation, self.rotation))
        share = 1 - generator.uniform(0, self.crop)
        spare = (1 - share) / 2 * np.array(image.shape[:2]) * generator.uniform(-1, 1, 2)  # where the crop lies
        mirror = -1.0 if self.flip and generator.random() < 0.5 else 1.0
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = share * np.array([[cosine, sine * mirror], [-sine, cosine * mirror]])
        middle = (np.array(image.shape[:2]) - 1) / 2
        offset = middle + spare - turn @ (middle + np.array([down, right]))
        channels = np.moveaxis(image, 2, 0)
        return np.stack([affine_transform(each, turn, offset, order=1, mode="nearest") for each in channels], axis=2)


NO_AUGMENTATION = Augmentation()
