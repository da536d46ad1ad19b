//! The Burn devices that this build supports and this machine has.

use crate::place::Place;
use burn::tensor::Device;
#[cfg(feature = "wgpu")]
use burn::tensor::DeviceType;

pub(crate) fn flex(name: &str) -> Place {
    Place::new(name, Device::flex(), "cpu (Burn Flex)")
}

/// The graphics devices that are found, for each cargo feature of this build.
pub(crate) fn graphics() -> Vec<Place> {
    #[allow(unused_mut, reason = "without a device's feature there is nothing to add")]
    let mut places = Vec::new();
    #[cfg(feature = "wgpu")]
    places.extend(enumerate("burn-wgpu", DeviceType::Wgpu));
    #[cfg(feature = "vulkan")]
    places.extend(enumerate("burn-vulkan", DeviceType::Vulkan));
    places
}

#[cfg(feature = "wgpu")]
fn enumerate(name: &str, kind: DeviceType) -> impl Iterator<Item = Place> {
    let name = name.to_owned();
    Device::enumerate(kind).into_vec().into_iter().enumerate().map(move |(k, device)| {
        let description = device.identity().map_or_else(|| format!("{device:?}"), |identity| identity.name);
        Place::new(if k == 0 { name.clone() } else { format!("{name}-{}", k + 1) }, device, description)
    })
}
