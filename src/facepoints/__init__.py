"""facepoints: trains, judges and runs facial keypoint detectors."""
